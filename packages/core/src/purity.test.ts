import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const source = new URL(".", import.meta.url);
const files = readdirSync(source).filter((name) => !name.endsWith(".test.ts") && name !== "testing.ts");

test.each(files)("%s imports nothing from outside and asks no clock, dice or network", (name) => {
  const text = readFileSync(new URL(name, source), "utf8");
  const imports = [...text.matchAll(/from "([^"]+)"|import\("([^"]+)"\)|import "([^"]+)"/g)];
  for (const [, from, dynamic, bare] of imports) expect(from ?? dynamic ?? bare).toMatch(/^\.\//);
  expect(text).not.toMatch(/\b(Date|Math\.random|performance|process|fetch|setTimeout|require|globalThis)\b/);
});

test("the package depends on nothing", () => {
  const manifest = JSON.parse(readFileSync(new URL("../package.json", source), "utf8"));
  expect(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })).toEqual([]);
});
