import { ProblemError } from "../../kit/problem-reply.ts";
import type { Subject, UserSubject } from "../../kit/subject.ts";
import type { SessionService } from "./service.ts";

/** Milliseconds within which somebody who has signed in is believed to be still the same. */
export const RECENT_MS = 15 * 60_000;

/**
 * Whether a person is still who signed in: what lets somebody in is changed by nobody who found an open screen, nor, where
 * its person has a second factor, by who has only got past the first.
 */
export function createRecentSignIn(
  sessions: Pick<SessionService, "wasProven">,
  hasSecondFactor: (userId: string) => Promise<boolean>,
): (subject: Subject | UserSubject) => Promise<void> {
  return async (subject) => {
    if (subject.type !== "user") return;
    const { via } = subject;
    const strong = await hasSecondFactor(subject.id);
    if (via.type === "session" && (await sessions.wasProven(via.id, RECENT_MS, { strong }))) return;
    const detail = strong
      ? "This needs somebody who has given his second factor within the last 15 minutes: give it at /auth/factors/again, or sign in again with it (loom login on the command line, from such a browser)."
      : "This needs somebody who has signed in within the last 15 minutes: sign in again (loom login on the command line).";
    throw new ProblemError("recent_sign_in_required", detail);
  };
}
