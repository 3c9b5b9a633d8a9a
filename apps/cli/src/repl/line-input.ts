import { createInterface, type Interface } from "node:readline";

export type LineHandlers = {
  /** What was typed, or pasted in one piece with its line breaks. */
  readonly onText: (text: string) => void;
  /** Ctrl+C on an empty line; on a line that is not empty it empties the line. */
  readonly onInterrupt: () => void;
  /** Ctrl+D, or the terminal went away. */
  readonly onEnd: () => void;
};

/** Lines of a terminal, with editing and a history of this session. */
export class LineInput {
  readonly #interface: Interface;
  #lines: string[] = [];

  constructor({ onText, onInterrupt, onEnd }: LineHandlers) {
    const input = createInterface({ input: process.stdin, output: process.stdout, prompt: "> ", historySize: 500 });
    this.#interface = input;
    input.on("line", (line) => {
      this.#lines.push(line);
      // Lines that come in one piece were pasted and belong together.
      if (this.#lines.length === 1) {
        setImmediate(() => {
          const text = this.#lines.join("\n");
          this.#lines = [];
          onText(text);
        });
      }
    });
    input.on("SIGINT", () => {
      if (input.line === "") return onInterrupt();
      // Empties the line, as Ctrl+U at its end does.
      input.write(null, { ctrl: true, name: "e" });
      input.write(null, { ctrl: true, name: "u" });
    });
    input.on("close", onEnd);
  }

  prompt(): void {
    this.#interface.prompt();
  }

  close(): void {
    this.#interface.close();
  }
}
