import { ProblemError } from "../../kit/problem-reply.ts";
import type { Subject } from "../../kit/subject.ts";
import type { SessionService } from "./service.ts";

/** Milliseconds within which somebody who has signed in is believed to be still the same. */
export const RECENT_MS = 15 * 60_000;

/** Whether a person is still who signed in: what lets somebody in is changed by nobody who found an open screen. */
export function createRecentSignIn(sessions: Pick<SessionService, "wasProven">): (subject: Subject) => Promise<void> {
  return async (subject) => {
    if (subject.type !== "user") return;
    const { via } = subject;
    if (via.type === "session" && (await sessions.wasProven(via.id, RECENT_MS))) return;
    const detail =
      "This needs somebody who has signed in within the last 15 minutes: sign in again (loom login on the command line), or give your second factor.";
    throw new ProblemError("recent_sign_in_required", detail);
  };
}
