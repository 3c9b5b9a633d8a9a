import type { Invocation } from "../command-line/specification.ts";
import { exitCodeOf } from "../exit-codes.ts";
import { versionFacts, versionLine } from "../version.ts";

export async function run(invocation: Invocation): Promise<number> {
  const facts = versionFacts();
  if (invocation.flags.has("--json")) {
    process.stdout.write(`${JSON.stringify(facts)}\n`);
    return exitCodeOf("ok");
  }
  const built = facts.gitSha === undefined ? "from source" : `built ${facts.builtAt} of ${facts.gitSha}`;
  process.stdout.write(`${versionLine()}\n${built}\nNode ${facts.node}, ${facts.platform}\n`);
  return exitCodeOf("ok");
}
