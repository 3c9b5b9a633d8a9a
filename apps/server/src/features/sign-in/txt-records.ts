import { Resolver } from "node:dns/promises";

/** Milliseconds for one question, and how often it is asked again. */
const TIMEOUT_MS = 3_000;
const TRIES = 2;

/** The TXT records of a name (RFC 1035, 3.3.14), each in one piece; none where there is no such name. Rejects where nobody answers. */
export type ReadTxtRecords = (name: string) => Promise<readonly string[]>;

/** `servers`: addresses with or without a port, in place of the system's. */
export function createTxtReader(servers: readonly string[]): ReadTxtRecords {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
  if (servers.length > 0) resolver.setServers([...servers]);
  return async (name) => {
    try {
      return (await resolver.resolveTxt(name)).map((pieces) => pieces.join(""));
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "ENOTFOUND" || code === "ENODATA") return [];
      throw error;
    }
  };
}
