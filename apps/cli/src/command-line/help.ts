import type { CommandSpec, FlagSpec } from "./specification.ts";

/** Help of one command, 80 columns where the table's texts allow it. */
export function helpText(command: CommandSpec, commands: readonly CommandSpec[]): string {
  const sections = [`${command.summary}\n`, `Usage: ${usageOf(command)}\n`];
  if (command.details !== undefined) sections.push(`${command.details.join("\n")}\n`);
  if (command.name === "") {
    const rows = commands.filter(({ name }) => name !== "").map((each) => [callOf(each), each.summary] as const);
    sections.push(`Commands:\n${columns(rows)}`);
  }
  if (command.arguments.length > 0) {
    sections.push(`Arguments:\n${columns(command.arguments.map((each) => [each.name, each.description]))}`);
  }
  if (command.flags.length > 0) {
    sections.push(`Flags:\n${columns(command.flags.map((flag) => [flagUsage(flag), flag.description]))}`);
  }
  if (command.name === "") sections.push('Run "loom COMMAND --help" for the flags of a command.\n');
  return sections.join("\n");
}

export function usageOf(command: CommandSpec): string {
  const flags = command.passesArguments ? "[ARGUMENTS]" : "[FLAGS]";
  return `${callOf(command)} ${flags}`;
}

function callOf(command: CommandSpec): string {
  const words = command.arguments.map((each) => (each.required ? each.name : `[${each.name}]`));
  return ["loom", command.name, ...words].filter((word) => word !== "").join(" ");
}

/** `-p, --prompt PROMPT` */
export function flagUsage(flag: FlagSpec): string {
  const short = flag.short === undefined ? "    " : `${flag.short}, `;
  return `${short}${flag.name}${flag.value === undefined ? "" : ` ${flag.value}`}`;
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join("");
}
