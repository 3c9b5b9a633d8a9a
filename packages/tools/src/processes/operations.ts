export type RunOptions = {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /**
   * Standard output and error, interleaved as they were written. Reading goes on when the promise is settled. A chunk
   * belongs to who receives it.
   */
  readonly onOutput: (chunk: Uint8Array) => void | Promise<void>;
};

export type CommandEnd = {
  /** `exited` by itself, or stopped together with everything it had started. */
  readonly reason: "exited" | "timeout" | "aborted";
  /** As the shell reports it: 128 + n for a command that signal n ended. `null` if it was stopped. */
  readonly exitCode: number | null;
  /** Signal that ended the command, e.g. `SIGSEGV`. */
  readonly signal: string | null;
  /** Whether processes that the command started in the background are still running. */
  readonly leftRunning: boolean;
};

/** What tools may do with processes. */
export interface ProcessOperations {
  /**
   * Runs a shell command in the workspace with its standard input closed, and resolves shortly after the shell has
   * ended, also when something in the background still holds its output. All failures are `ToolFailure`.
   */
  run(command: string, options: RunOptions): Promise<CommandEnd>;
  /** Ends what is still running of all commands, also in the background. On Linux a death without it does so too. */
  close(): Promise<void>;
}
