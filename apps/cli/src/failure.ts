import { CliError, type ExitName, exitCodeOf } from "./exit-codes.ts";

/** The codes of Loom's own errors, wherever they were thrown, and how a process ends with them. */
const EXIT_BY_CODE = new Map<string, ExitName>([
  ["configuration", "configuration"],
  ["thread_not_found", "thread"],
  ["thread_ambiguous", "thread"],
  ["thread_in_use", "thread"],
  ["thread_deleted", "thread"],
  ["thread_damaged", "thread"],
  ["thread_too_new", "thread"],
  ["thread_not_saved", "not_saved"],
  ["network", "unreachable"],
  ["overloaded", "unreachable"],
  ["timeout", "timeout"],
  ["rate_limited", "limited"],
  ["budget_exceeded", "limited"],
  ["unauthorized", "unauthorized"],
  ["unknown_model", "no_model"],
  ["not_configured", "no_model"],
  ["invalid_input", "usage"],
  ["unauthenticated", "unauthorized"],
  ["forbidden", "unauthorized"],
  ["unavailable", "unreachable"],
  ["not_found", "failed"],
  ["conflict", "failed"],
  ["version_mismatch", "failed"],
  ["gone", "failed"],
  ["invalid_request", "failed"],
  ["invalid_response", "failed"],
  ["internal", "failed"],
]);

/** The exit that goes with a failure's code. */
export function exitForCode(code: string): ExitName {
  return EXIT_BY_CODE.get(code) ?? "failed";
}

/** Tells a person why Loom ends, in one sentence on standard error, and gives the exit code. */
export async function reportFailure(error: unknown): Promise<number> {
  const { exit, message } = await describeFailure(error);
  const { terminalText } = await import("./output/terminal-text.ts");
  process.stderr.write(`loom: ${terminalText(message)}\n`);
  return exitCodeOf(exit);
}

export type Failure = { readonly exit: ExitName; readonly code: string; readonly message: string };

const DISK_PROBLEMS = new Map([
  ["ENOSPC", "there is no space left on the disk: make room and try again"],
  ["EDQUOT", "what this account may use of the disk is used up: make room and try again"],
  ["EROFS", "the disk can only be read"],
]);

/** What the disk says that is nobody's mistake. */
function diskProblem(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const problem = DISK_PROBLEMS.get(String(error.code));
  const what = "path" in error && typeof error.path === "string" ? error.path : "A file";
  return problem && `${what} cannot be written: ${problem}.`;
}

/** An error as an exit, a code and a sentence. What nobody foresaw is a mistake of ours and is called one. */
export async function describeFailure(error: unknown): Promise<Failure> {
  if (error instanceof CliError) return { exit: error.exit, code: error.exit, message: error.message };
  if (error instanceof Error && "code" in error && typeof error.code === "string") {
    const exit = EXIT_BY_CODE.get(error.code);
    const isFlag = "flag" in error && error.flag !== undefined;
    if (exit !== undefined) return { exit: isFlag ? "usage" : exit, code: error.code, message: error.message };
  }
  const full = diskProblem(error);
  if (full !== undefined) return { exit: "not_saved", code: "not_saved", message: full };
  const { redact } = await import("@loom/config");
  const shown = error instanceof Error ? error.message : String(error);
  const stack = process.env.LOOM_DEBUG === "1" && error instanceof Error ? `\n${error.stack}` : "";
  const advice = stack === "" ? " Set LOOM_DEBUG=1 to see where." : "";
  const message = redact(`This should not have happened: ${shown}.${advice}${stack}`);
  return { exit: "failed", code: "internal", message };
}
