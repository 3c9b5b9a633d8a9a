import type { Invocation } from "../command-line/specification.ts";

/** `loom server …` is `loom-server …`: its own main takes over this process and sets the exit code. */
export async function run(invocation: Invocation): Promise<number> {
  process.argv.splice(2, process.argv.length, ...invocation.arguments);
  await import("@loom/server/main");
  return Number(process.exitCode ?? 0);
}
