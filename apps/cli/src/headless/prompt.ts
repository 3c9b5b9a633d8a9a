import type { UserInput } from "@loom/core";
import { CliError } from "../exit-codes.ts";
import { readPipedContext, readPipedPrompt } from "./piped-text.ts";

export type Prompt = {
  readonly input: UserInput;
  /** What the person should know about how the input was read. */
  readonly notice?: string;
};

/**
 * The input of a headless turn: the text of `-p`, and what is piped in after it as context; with `-p -` the piped text.
 * @throws CliError `usage` where there is no prompt.
 */
export async function readPrompt(flag: string, signal: AbortSignal): Promise<Prompt> {
  if (flag === "-") {
    const text = await readPipedPrompt(signal);
    if (text.trim() === "") throw new CliError("usage", "-p - found no prompt on standard input.");
    return { input: [{ type: "text", text }] };
  }
  if (flag.trim() === "") throw new CliError("usage", "The prompt of -p is empty.");
  const { text, cut } = await readPipedContext(signal);
  const input: UserInput = [{ type: "text", text: flag }];
  if (text.trim() === "") return { input };
  const context = { type: "text", text: `<standard_input>\n${text.trimEnd()}\n</standard_input>` } as const;
  return { input: [...input, context], ...(cut === undefined ? {} : { notice: cut }) };
}
