import { throwIfStopped } from "../failure.ts";
import type { DeathWatch } from "./death-watch.ts";
import type { CommandEnd, ProcessOperations, RunOptions } from "./operations.ts";
import type { OutputPipes } from "./output-pipes.ts";

export type LocalProcessesOptions = {
  /** Absolute path of the workspace. */
  readonly root: string;
  /** The whole environment of the commands; the caller leaves out what they must not see. */
  readonly environment: Readonly<Record<string, string | undefined>>;
};

/** Commands on this machine, with the rights of this process. */
export class LocalProcesses implements ProcessOperations {
  readonly #options: LocalProcessesOptions;
  /** Made with the first command: it loads what a session without one does not need. */
  #id: string | undefined;
  #count = 0;
  #pipes: OutputPipes | undefined;
  /** Looked for once: the environment stays the same, and each look asks the disk for every directory of `PATH`. */
  #shell: string | undefined;
  #watch: DeathWatch | undefined;

  constructor(options: LocalProcessesOptions) {
    this.#options = options;
  }

  async run(command: string, options: RunOptions): Promise<CommandEnd> {
    this.#id ??= crypto.randomUUID();
    this.#count += 1;
    const id = `${this.#id}:${this.#count}:`;
    const { runCommand } = await import("./run-command.ts");
    const { findProgram, OutputPipes } = await import("./output-pipes.ts");
    const { watchForDeath } = await import("./death-watch.ts");
    throwIfStopped(options.signal);
    this.#pipes ??= new OutputPipes();
    this.#shell ??= findProgram("bash", this.#options.environment.PATH) ?? "/bin/sh";
    const end = runCommand({ ...this.#options, ...options, command, id, pipes: this.#pipes, shell: this.#shell });
    // While the first command's pipes are being made, which takes as long.
    this.#watch ??= watchForDeath(this.#id, this.#options.environment.PATH);
    return end;
  }

  async close(): Promise<void> {
    if (this.#id === undefined) return;
    this.#pipes?.close();
    const { endTree } = await import("./process-tree.ts");
    await endTree({ shell: undefined, idPrefix: this.#id });
    this.#watch?.close();
  }
}
