import { SignInRefused } from "../../identity-types.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import { Reply } from "../../kit/route.ts";
import type { Subject } from "../../kit/subject.ts";
import { problemPage, refusalPage } from "./pages.ts";

/** The session by which somebody is known. */
export function sessionOf(subject: Subject): string | undefined {
  return subject.type === "user" && subject.via.type === "session" ? subject.via.id : undefined;
}

const STATUS: Readonly<Record<string, number>> = { provider_failed: 502, flow_unknown: 400 };

/** Who looks at a page is told on one why he is not let in. */
export async function onPage(work: () => Promise<Reply<string>>): Promise<Reply<string>> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SignInRefused) {
      return new Reply(refusalPage(error.message), { status: STATUS[error.code] ?? 403 });
    }
    if (!(error instanceof ProblemError)) throw error;
    if (error.problem.code === "unavailable") return new Reply(problemPage(error.message), { status: 503 });
    if (error.problem.code !== "rate_limited") throw error;
    const seconds = Math.ceil((error.problem.retryAfterMs ?? 1_000) / 1000);
    return new Reply(refusalPage(error.message), { status: 429, headers: { "retry-after": String(seconds) } });
  }
}
