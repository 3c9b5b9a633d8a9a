import type { SessionUpdate, TurnResult } from "@loom/agent";
import { describeAgentError } from "../headless/run-report.ts";
import type { StandardOutput } from "../output/standard-output.ts";
import { terminalText } from "../output/terminal-text.ts";
import { activityLine } from "../output/tool-lines.ts";

const DIM = "\u001b[2m";
const RED = "\u001b[31m";
const PLAIN = "\u001b[0m";

/** What the person sees of a conversation. Colours only where the terminal has them and nobody said NO_COLOR. */
export class Screen {
  readonly #output: StandardOutput;
  readonly #colours: boolean;
  #lineIsOpen = false;

  constructor(output: StandardOutput, env: NodeJS.ProcessEnv) {
    this.#output = output;
    this.#colours = env.TERM !== "dumb" && (env.NO_COLOR === undefined || env.NO_COLOR === "");
  }

  update(update: SessionUpdate): void {
    switch (update.type) {
      case "text_delta": {
        const text = terminalText(update.text);
        this.#output.write(text);
        if (text !== "") this.#lineIsOpen = !text.endsWith("\n");
        return;
      }
      case "answer":
        this.#endLine();
        return;
      case "error":
        this.problem(describeAgentError(update.error).message);
        return;
      case "turn_ended":
        this.#turnEnded(update.result);
        return;
      default: {
        const line = activityLine(update);
        if (line !== undefined) this.aside(line);
      }
    }
  }

  /** Shows now what was said, before the prompt comes. */
  push(): void {
    this.#output.push();
  }

  /** One line about the conversation, not of it. */
  aside(line: string): void {
    this.#line(line, DIM);
  }

  problem(message: string): void {
    this.#line(`loom: ${terminalText(message)}`, RED);
  }

  #turnEnded({ outcome, usage, costMicroUsd, unpricedRequests }: TurnResult): void {
    const input = usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens;
    const cost = unpricedRequests > 0 ? "" : `, $${(costMicroUsd / 1_000_000).toFixed(4)}`;
    const stopped = outcome === "interrupted" ? "stopped; " : "";
    this.aside(`  ${stopped}${input} tokens in, ${usage.outputTokens} out${cost}`);
  }

  #endLine(): void {
    if (this.#lineIsOpen) this.#output.write("\n");
    this.#lineIsOpen = false;
  }

  #line(text: string, colour: string): void {
    this.#endLine();
    this.#output.write(this.#colours ? `${colour}${text}${PLAIN}\n` : `${text}\n`);
  }
}
