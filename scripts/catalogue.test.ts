import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { catalogueText } from "./catalogue.ts";

const committed = new URL("../packages/llm/src/catalogue/catalogue.json", import.meta.url);

test("the committed catalogue is what the installed price data gives", async () => {
  expect(await readFile(committed, "utf8")).toBe(await catalogueText());
});

test("the catalogue stays small enough to ship with the command line", async () => {
  expect((await catalogueText()).length).toBeLessThan(150 * 1024);
});
