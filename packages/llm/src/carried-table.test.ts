import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CARRIED } from "./carried.ts";
import type { WireDialect } from "./dialect.ts";

const DOCUMENT = new URL("../../../docs/gateway.md", import.meta.url);
const NAMES: readonly (readonly [WireDialect, string])[] = [
  ["anthropic", "Anthropic Messages"],
  ["chat", "Chat Completions"],
  ["responses", "Responses"],
  ["gemini", "Gemini"],
];

function table(): string {
  const rows = CARRIED.map(({ name, fate, note = "" }) => [
    name,
    ...NAMES.map(([dialect]) => (fate === "own" ? "own" : fate[dialect])),
    note,
  ]);
  const head = ["part", ...NAMES.map(([, name]) => name), "how"];
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

test("docs/gateway.md has the table of what is carried (LOOM_WRITE_DOCS=1 writes it)", () => {
  const document = readFileSync(DOCUMENT, "utf8");
  const expected = document.replace(
    /(<!-- carried -->\n)[\s\S]*?(<!-- \/carried -->)/,
    (_, start: string, end: string) => `${start}\n${table()}\n${end}`,
  );
  expect(document).toContain("<!-- carried -->");
  if (process.env.LOOM_WRITE_DOCS === "1") writeFileSync(DOCUMENT, expected);
  else expect(document).toBe(expected);
});
