import { createTempHome, type ScriptedModel, say, startScriptedModel, type TempHome } from "@loom/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exitCodeOf } from "../exit-codes.ts";
import { envFor, runLoom } from "../testing.ts";

let home: TempHome;
let model: ScriptedModel;
beforeAll(async () => {
  home = await createTempHome();
  model = await startScriptedModel({ script: () => say("Done.") });
});
afterAll(async () => {
  await model.close();
  await home.remove();
});

describe("loom usage", () => {
  it("says that nothing was used where nothing was, also without any model", async () => {
    const { code, stdout, stderr } = await runLoom(home, ["usage"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^model +requests .*\ntotal +0 /);
  });

  it("shows what earlier runs have used, as a table, as JSON and as CSV", async () => {
    for (const prompt of ["one", "two"]) {
      expect(await runLoom(home, ["-p", prompt], { env: envFor(model) })).toMatchObject({ code: 0 });
    }
    const table = await runLoom(home, ["usage", "--by", "upstream,requestedModel", "--since", "1h"]);
    expect(table).toMatchObject({ code: 0, stderr: "" });
    expect(table.stdout).toMatch(/^openai +(scripted|default) +2 /m);
    expect(table.stdout).toMatch(/^\? 2 requests used models without a known price/m);
    const json = await runLoom(home, ["usage", "--json"]);
    expect(JSON.parse(json.stdout)).toMatchObject({
      groupBy: ["model"],
      total: { requests: 2, unpriced: 2, errors: 0 },
    });
    const csv = await runLoom(home, ["usage", "--by", "day", "--csv"]);
    expect(csv.stdout).toMatch(/^day,requests,.*\r\n\d{4}-\d{2}-\d{2},2,0,/);
  });

  it.each([
    [["--since", "0d"], "loom: --since must be a time like 12h, 7d, 2w or 2026-01-31.\n"],
    [["--since", "yesterday"], "loom: --since must be a time like 12h, 7d, 2w or 2026-01-31.\n"],
    [["--json", "--csv"], "loom: --json and --csv exclude each other.\n"],
  ])("refuses %j in one sentence", async (words, message) => {
    expect(await runLoom(home, ["usage", ...words])).toMatchObject({
      code: exitCodeOf("usage"),
      stdout: "",
      stderr: message,
    });
  });

  it("says what is wrong with a dimension", async () => {
    const { code, stderr } = await runLoom(home, ["usage", "--by", "colour"]);
    expect(code).not.toBe(0);
    expect(stderr).toContain("groupBy");
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });
});
