import type { Audit } from "./audit.ts";
import type { Database } from "./database.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";

/** What every feature stands on. */
export type Kit = {
  readonly log: Log;
  readonly metrics: Metrics;
  /** Takes what security-relevant has happened. Goes nowhere in the server of one turn. */
  readonly audit: Audit;
  /** Opened when it is first asked for. Rejects with a `DatabaseError`, also on a server that was given no directory. */
  readonly database: () => Promise<Database>;
  /** Takes the secrets that this process holds out of a text. */
  readonly redact: (text: string) => string;
};
