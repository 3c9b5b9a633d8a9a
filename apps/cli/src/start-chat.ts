import type { Invocation } from "./command-line/specification.ts";
import { CliError } from "./exit-codes.ts";
import { textOf } from "./settings.ts";
import type { ThreadChoice } from "./thread-access.ts";

/** Flags that mean something only together with -p. */
const HEADLESS_ONLY = ["--output-format", "--timeout"];

/**
 * A conversation: headless with -p, else in the terminal.
 * @throws CliError `usage` where there is neither a prompt nor a terminal: nobody could answer.
 */
export async function startChat(invocation: Invocation, choice: ThreadChoice): Promise<number> {
  if (textOf(invocation, "--prompt") !== undefined) {
    const { runHeadless } = await import("./headless/run-headless.ts");
    return runHeadless(invocation, choice);
  }
  for (const flag of HEADLESS_ONLY) {
    if (invocation.flags.has(flag)) throw new CliError("usage", `${flag} needs -p.`);
  }
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new CliError(
      "usage",
      'There is no terminal to talk in: run loom -p "…", or loom -p - to read the prompt from standard input.',
    );
  }
  const { runRepl } = await import("./repl/repl.ts");
  return runRepl(invocation, choice);
}
