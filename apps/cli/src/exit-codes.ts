/** Every way a `loom` process can end. The documentation and `loom --help` are made from this table. */
export const EXIT_CODES = [
  { name: "ok", code: 0, meaning: "Done." },
  { name: "failed", code: 1, meaning: "The turn failed: the model, a tool or Loom itself reported an error." },
  { name: "usage", code: 2, meaning: "The command line is wrong: unknown flag or command, missing or wrong value." },
  { name: "configuration", code: 3, meaning: "A configuration file, variable or credential is wrong." },
  {
    name: "no_model",
    code: 4,
    meaning: "No model can be asked: no key is set, or the model or provider is not known.",
  },
  { name: "unauthorized", code: 5, meaning: "The server or the provider refused the token or key." },
  { name: "limited", code: 6, meaning: "A budget is used up, or the provider is rate limiting." },
  { name: "timeout", code: 7, meaning: "A deadline passed: connect, headers, first event, gap, or the whole run." },
  { name: "max_turns", code: 8, meaning: "The turn reached the bound on model requests." },
  { name: "unreachable", code: 9, meaning: "The server or the provider cannot be reached or is overloaded." },
  { name: "not_saved", code: 10, meaning: "The thread could not be written to disk." },
  { name: "thread", code: 11, meaning: "The thread does not exist, is ambiguous, in use or damaged." },
  { name: "replay_differs", code: 12, meaning: "A replayed thread does not give the states it recorded." },
  { name: "hangup", code: 129, meaning: "The terminal went away (SIGHUP); the thread is saved." },
  { name: "interrupted", code: 130, meaning: "Stopped by Ctrl+C (SIGINT); the thread is saved." },
  { name: "output_closed", code: 141, meaning: "Whoever read the output went away (EPIPE); the thread is saved." },
  { name: "terminated", code: 143, meaning: "Stopped by SIGTERM; the thread is saved." },
] as const;

export type ExitName = (typeof EXIT_CODES)[number]["name"];

export function exitCodeOf(name: ExitName): number {
  return EXIT_CODES.find((row) => row.name === name)?.code ?? 1;
}

/** Ends the process with one sentence for a person. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exit: ExitName;

  constructor(exit: ExitName, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exit = exit;
  }
}
