import { expect, test } from "vitest";
import { builtinTools } from "./builtin-tools.ts";
import { TOOLS } from "./tools.ts";

const definitions = TOOLS.map((tool) => tool.definition());

test("the stored definitions are those of the code (update them with `vitest run -u`)", async () => {
  await expect(formatted(definitions)).toMatchFileSnapshot("definitions.json");
});

test("the definitions can be had without loading a tool", () => {
  expect(builtinTools.definitions).toEqual(definitions);
});

test("which tools only read is known without loading one", () => {
  const reading = TOOLS.filter((tool) => tool.effects === "none").map((tool) => tool.name);
  expect(builtinTools.reading).toEqual(reading);
});

test("the definitions leave room in a first request of 10 KB", () => {
  expect(JSON.stringify(definitions).length).toBeLessThanOrEqual(3_500);
});

/** As the formatter leaves it: short lists on one line. */
function formatted(value: unknown): string {
  const json = JSON.stringify(value, null, 2);
  return `${json.replace(/\[\s+((?:"[^"]*",?\s+)*"[^"]*")\s+\]/g, (_, items: string) => `[${items.replace(/\s+/g, " ")}]`)}\n`;
}
