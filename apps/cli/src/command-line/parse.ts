import { closestName } from "@loom/config/closest-name";
import { CliError } from "../exit-codes.ts";
import type { CommandSpec, FlagSpec, Invocation } from "./specification.ts";

/**
 * Reads a command line against the table. A flag's value is the next word or follows `=`; `--` ends the flags; a flag
 * given twice counts as given last. A value that is itself a flag of the command is taken for a forgotten value.
 * @throws CliError `usage` that names the word and, where one is near, what was meant.
 */
export function parseCommandLine(words: readonly string[], commands: readonly CommandSpec[]): Invocation {
  const { command, rest } = findCommand(words, commands);
  if (command.passesArguments) return { command, flags: new Map(), arguments: rest };

  const flags = new Map<string, string | true>();
  const given: string[] = [];
  const pending = [...rest];
  for (let word = pending.shift(); word !== undefined; word = pending.shift()) {
    if (word === "--") {
      given.push(...pending);
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      given.push(word);
      continue;
    }
    const { flag, inline } = findFlag(word, command);
    flags.set(
      flag.name,
      flag.value === undefined ? withoutValue(flag, inline) : takeValue(flag, inline, pending, command),
    );
  }
  // Help is given whatever else is wrong or missing.
  if (!flags.has("--help")) checkArguments(command, given, commands);
  return { command, flags, arguments: given };
}

function findCommand(words: readonly string[], commands: readonly CommandSpec[]) {
  // The longest name first: "config show" before "config".
  for (const command of [...commands].sort((a, b) => b.name.length - a.name.length)) {
    const name = command.name === "" ? [] : command.name.split(" ");
    if (name.every((part, index) => words[index] === part)) return { command, rest: words.slice(name.length) };
  }
  throw new CliError("usage", "There is no command.");
}

function findFlag(
  word: string,
  command: CommandSpec,
): { readonly flag: FlagSpec; readonly inline: string | undefined } {
  const equals = word.startsWith("--") ? word.indexOf("=") : -1;
  const name = equals < 0 ? word : word.slice(0, equals);
  for (const flag of command.flags) {
    if (flag.name === name) return { flag, inline: equals < 0 ? undefined : word.slice(equals + 1) };
    if (flag.short === undefined || word.startsWith("--") || !word.startsWith(flag.short)) continue;
    if (word === flag.short) return { flag, inline: undefined };
    if (flag.value !== undefined) return { flag, inline: word.slice(flag.short.length) };
  }
  const names = command.flags.map((flag) => flag.name);
  const meant = closestName(name, names);
  throw new CliError("usage", `There is no flag ${name}${inCommand(command)}; ${advice(meant, helpOf(command))}`);
}

function withoutValue(flag: FlagSpec, inline: string | undefined): true {
  if (inline !== undefined) throw new CliError("usage", `${flag.name} takes no value.`);
  return true;
}

function takeValue(flag: FlagSpec, inline: string | undefined, pending: string[], command: CommandSpec): string {
  const value = inline ?? pending.shift();
  if (value === undefined || (inline === undefined && isFlagOf(command, value))) {
    throw new CliError("usage", `${flag.name} needs a value: ${flag.name} ${flag.value}.`);
  }
  if (flag.choices !== undefined && !flag.choices.includes(value)) {
    const meant = closestName(value, flag.choices);
    const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
    throw new CliError("usage", `${flag.name} must be one of ${flag.choices.join(", ")}, not "${value}"${hint || "."}`);
  }
  return value;
}

function isFlagOf(command: CommandSpec, word: string): boolean {
  const name = word.split("=", 1)[0];
  return command.flags.some((flag) => flag.name === name || flag.short === word);
}

function checkArguments(command: CommandSpec, given: readonly string[], commands: readonly CommandSpec[]): void {
  const surplus = given[command.arguments.length];
  if (surplus !== undefined && command.name === "") throw unknownCommand(given, commands);
  if (surplus !== undefined) {
    throw new CliError(
      "usage",
      `"${surplus}" is one argument too many${inCommand(command)}; run "${helpOf(command)}".`,
    );
  }
  const missing = command.arguments[given.length];
  if (missing?.required) {
    throw new CliError("usage", `${missing.name} is missing${inCommand(command)}; run "${helpOf(command)}".`);
  }
}

function unknownCommand(words: readonly string[], commands: readonly CommandSpec[]): CliError {
  const names = commands.map((command) => command.name).filter((name) => name !== "");
  const first = words[0] ?? "";
  const group = names.filter((name) => name.startsWith(`${first} `));
  if (group.length > 0)
    return new CliError("usage", `"loom ${first}" is not complete; there is: loom ${group.join(", loom ")}.`);
  const meant = closestName(words.slice(0, 2).join(" "), names) ?? closestName(first, names);
  const hint = meant === undefined ? `to ask something, run: loom -p "…"` : `did you mean "loom ${meant}"?`;
  return new CliError("usage", `There is no command "${first}"; ${hint}${hint.endsWith("?") ? "" : "."}`);
}

function inCommand(command: CommandSpec): string {
  return command.name === "" ? "" : ` in "loom ${command.name}"`;
}

function helpOf(command: CommandSpec): string {
  return `loom ${command.name === "" ? "" : `${command.name} `}--help`;
}

function advice(meant: string | undefined, help: string): string {
  return meant === undefined ? `run "${help}".` : `did you mean ${meant}?`;
}
