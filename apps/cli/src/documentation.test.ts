import { readFileSync, writeFileSync } from "node:fs";
import { SETTINGS, type Setting, variablesOf } from "@loom/config";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "./command-line/commands.ts";
import { usageOf } from "./command-line/help.ts";
import { EXIT_CODES } from "./exit-codes.ts";

const DOCUMENT = new URL("../../../docs/cli.md", import.meta.url);

/** The parts of docs/cli.md that are tables of the source, by the name in their marks. */
const SECTIONS: { readonly [name: string]: () => string } = {
  commands: () => COMMANDS.map(commandSection).join("\n"),
  "exit-codes": () =>
    table(
      ["code", "name", "meaning"],
      EXIT_CODES.map(({ code, name, meaning }) => [String(code), `\`${name}\``, meaning]),
    ),
  settings: () => table(["key", "default", "value", "workspace file", "meaning"], SETTINGS.map(settingRow)),
  variables: () =>
    table(
      ["variable", "sets"],
      SETTINGS.flatMap((setting: Setting) =>
        variablesOf(setting).map(({ name, inverted }) => [
          `\`${name}\``,
          `\`${setting.key}\`${inverted ? ", the other way round" : ""}`,
        ]),
      ),
    ),
};

function commandSection(command: (typeof COMMANDS)[number]): string {
  const rows = [
    ...command.arguments.map(({ name, required, description }) => [
      `\`${required ? name : `[${name}]`}\``,
      description,
    ]),
    ...command.flags.map(({ name, short, value, description }) => {
      const flag = value === undefined ? name : `${name} ${value}`;
      return [short === undefined ? `\`${flag}\`` : `\`${short}\`, \`${flag}\``, description];
    }),
  ];
  const flags = rows.length === 0 ? "" : `\n${table(["flag or argument", "meaning"], rows)}`;
  const details = command.details === undefined ? "" : `\n${command.details.join("\n")}\n`;
  return `### \`${usageOf(command)}\`\n\n${command.summary}\n${details}${flags}`;
}

function settingRow({ key, kind, default: value, workspace, description }: Setting): string[] {
  const shown = value === "" ? "not set" : `\`${Array.isArray(value) ? value.join(", ") : String(value)}\``;
  return [
    `\`${key}\``,
    shown,
    kindOf(kind),
    { allowed: "yes", narrows: "narrows", refused: "no" }[workspace],
    description,
  ];
}

function kindOf(kind: Setting["kind"]): string {
  switch (kind.type) {
    case "integer":
      return `whole number, ${kind.min} to ${kind.max}`;
    case "seconds":
      return `seconds, ${kind.min} to ${kind.max}`;
    case "choice":
      return kind.values.filter((choice) => choice !== "").join(", ");
    case "strings":
      return "list of strings";
    case "url":
      return "http(s) address";
    default:
      return kind.type;
  }
}

/** With columns as wide as their widest cell, as the formatter has them. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[], fill: string) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0, fill)).join(" | ")} |\n`;
  const [first = "", ...others] = cells.map((row) => line(row, " "));
  return (
    first +
    line(
      head.map(() => ""),
      "-",
    ) +
    others.join("")
  );
}

function withSections(document: string): string {
  let result = document;
  for (const [name, render] of Object.entries(SECTIONS)) {
    const pattern = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`);
    result = result.replace(pattern, (_, start: string, end: string) => `${start}\n${render()}\n${end}`);
  }
  return result;
}

describe("docs/cli.md", () => {
  it("says what the tables of the source say (LOOM_WRITE_DOCS=1 npx vitest run writes it)", () => {
    const document = readFileSync(DOCUMENT, "utf8");
    for (const name of Object.keys(SECTIONS)) expect(document).toContain(`<!-- ${name} -->`);
    const expected = withSections(document);
    if (process.env.LOOM_WRITE_DOCS === "1") writeFileSync(DOCUMENT, expected);
    else expect(document).toBe(expected);
  });
});
