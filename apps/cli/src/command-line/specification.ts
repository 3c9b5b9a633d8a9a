import type { SettingKey } from "@loom/config";

/** A flag as the table states it. Without `value` it is a switch. */
export type FlagSpec = {
  /** With its dashes: `--model`. */
  readonly name: string;
  readonly short?: string;
  /** What stands for the value in the help: `NAME`. */
  readonly value?: string;
  readonly choices?: readonly string[];
  /** The setting that the flag overrides. */
  readonly setting?: SettingKey;
  readonly description: string;
};

export type ArgumentSpec = { readonly name: string; readonly required: boolean; readonly description: string };

/** What a command gets: text for each flag with a value, `true` for each switch that was given. */
export type Invocation = {
  readonly command: CommandSpec;
  readonly flags: ReadonlyMap<string, string | true>;
  readonly arguments: readonly string[];
};

export type CommandModule = { run(invocation: Invocation): Promise<number> };

export type CommandSpec = {
  /** The words that name it; "" is `loom` itself. */
  readonly name: string;
  readonly summary: string;
  readonly details?: readonly string[];
  readonly arguments: readonly ArgumentSpec[];
  readonly flags: readonly FlagSpec[];
  /** Everything after the name goes to the command as it is. */
  readonly passesArguments?: true;
  /** Loaded when the command runs, so that the help of all costs nothing. */
  load(): Promise<CommandModule>;
};
