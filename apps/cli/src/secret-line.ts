import { createInterface } from "node:readline";
import { CliError } from "./exit-codes.ts";

/** Longer is no token of ours. */
const MAX_CHARACTERS = 1_000;

/**
 * The first line of standard input: what must not stand among a command's arguments, where other users of the machine
 * see it. `prompt` is for a person at a terminal.
 * @throws CliError where nothing comes
 */
export async function readSecretLine(prompt: string): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write(prompt);
  let seen = 0;
  process.stdin.on("data", (chunk: Buffer) => {
    seen += chunk.length;
    if (seen > MAX_CHARACTERS) process.stdin.destroy();
  });
  const lines = createInterface({ input: process.stdin });
  try {
    for await (const line of lines) {
      const text = line.trim();
      if (text !== "" && text.length <= MAX_CHARACTERS) return text;
    }
  } finally {
    lines.close();
    process.stdin.destroy();
  }
  throw new CliError("usage", "Nothing came on standard input: pipe the token in, or paste it at the prompt.");
}
