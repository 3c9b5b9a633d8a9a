import type { Call } from "../../kit/call.ts";
import type { Subject } from "../../kit/subject.ts";
import type { SessionService } from "../sessions/service.ts";
import { sessionOf } from "./on-page.ts";
import type { WebFlow } from "./web-flow.ts";

/**
 * Whoever signs in is given a new session; the one that the browser had is over, whosever it was, and so is the one that
 * it had kept while somebody acted in another's place.
 */
export async function endOld(
  { sessions, flow }: { readonly sessions: Pick<SessionService, "byCookie" | "end">; readonly flow: WebFlow },
  call: Call,
  subject: Subject,
): Promise<void> {
  const token = flow.ownOf(call.incoming);
  const kept = token === undefined ? undefined : await sessions.byCookie(token);
  const ids = new Set([sessionOf(subject), kept && sessionOf(kept)]);
  for (const id of ids) if (id !== undefined) await sessions.end(id);
}
