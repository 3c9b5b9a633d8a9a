/** A program to run, with its whole environment: nothing is inherited. */
export type Command = {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
};

/** A run that did not end well, with the end of what it said. */
export class RunFailed extends Error {
  constructor(command: Command, reason: string, output: string) {
    const shown = [command.file, ...command.args].join(" ");
    super(`${shown}\n${reason}. The end of its output:\n${output.slice(-2000)}`);
    this.name = "RunFailed";
  }
}
