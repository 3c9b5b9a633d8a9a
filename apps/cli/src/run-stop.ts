import { CliError, type ExitName, exitCodeOf } from "./exit-codes.ts";

/** Why a run was stopped from outside: how the process ends, and one sentence. */
export type StopReason = { readonly exit: ExitName; readonly message: string };

const SIGNALS = [
  ["SIGINT", { exit: "interrupted", message: "Stopped by Ctrl+C (SIGINT)." }],
  ["SIGTERM", { exit: "terminated", message: "Stopped by SIGTERM." }],
  ["SIGHUP", { exit: "hangup", message: "Stopped, because the terminal went away (SIGHUP)." }],
] as const;

/** An end that does not come by itself within this time is forced: headless always ends. */
const FORCED_END_MS = 10_000;

/** The one place from which a run is stopped: signals, the deadline, a reader that went away. The first reason counts. */
export class RunStop {
  readonly #controller = new AbortController();
  #reason: StopReason | undefined;
  #deadline: NodeJS.Timeout | undefined;

  /** Aborted when the run is to end; its reason is a CliError. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get reason(): StopReason | undefined {
    return this.#reason;
  }

  stop(reason: StopReason): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    setTimeout(() => process.exit(exitCodeOf(reason.exit)), FORCED_END_MS).unref();
    this.#controller.abort(new CliError(reason.exit, reason.message));
  }

  /** Stops the run when the process is told to end; told twice, it ends at once. */
  onSignals(): void {
    for (const [signal, reason] of SIGNALS) {
      process.on(signal, () => {
        if (this.#reason !== undefined) process.exit(exitCodeOf(this.#reason.exit));
        this.stop(reason);
      });
    }
  }

  /** Stops the run when it takes longer, counted from the start of the process. */
  onDeadline(seconds: number): void {
    const leftMs = Math.max(0, seconds * 1_000 - performance.now());
    const message = `The run took longer than ${seconds} s (--timeout) and was stopped.`;
    this.#deadline = setTimeout(() => this.stop({ exit: "timeout", message }), leftMs);
    this.#deadline.unref();
  }

  /** The run has ended by itself. */
  done(): void {
    clearTimeout(this.#deadline);
  }
}
