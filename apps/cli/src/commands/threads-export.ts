import { writeFileSync } from "node:fs";
import type { Invocation } from "../command-line/specification.ts";
import { CliError, exitCodeOf } from "../exit-codes.ts";
import { threadMarkdown } from "../output/thread-markdown.ts";
import { readThread } from "../read-thread.ts";
import { textOf } from "../settings.ts";

/** Names the shape of the JSON: the header, the facts and every record, with all outputs in their places. */
const JSON_FORMAT = "loom-thread";

export async function run(invocation: Invocation): Promise<number> {
  const transcript = await readThread(invocation);
  const { header, facts, records } = transcript;
  const text =
    textOf(invocation, "--format") === "json"
      ? `${JSON.stringify({ format: JSON_FORMAT, version: 1, facts, records: [header, ...records] })}\n`
      : threadMarkdown(transcript);
  const file = textOf(invocation, "--output");
  if (file === undefined) process.stdout.write(text);
  else writeNew(file, text);
  const damaged = transcript.items.filter((item) => item.type === "damage").map((item) => item.line);
  if (damaged.length > 0) {
    process.stderr.write(`Left out are damaged lines of the thread's file: ${damaged.join(", ")}.\n`);
  }
  return exitCodeOf("ok");
}

/** For its owner alone: a thread holds what was seen in the workspace. */
function writeNew(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: "wx", mode: 0o600 });
  } catch (error) {
    const exists = error instanceof Error && "code" in error && error.code === "EEXIST";
    const why = exists ? "it exists already" : error instanceof Error ? error.message : String(error);
    throw new CliError("not_saved", `The export cannot be written to ${file}: ${why}.`, { cause: error });
  }
}
