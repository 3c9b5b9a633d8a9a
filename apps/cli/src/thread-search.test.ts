import { callTool, createTempHome, type ScriptedModel, say, startScriptedModel, type TempHome } from "@loom/testkit";
import { afterAll, beforeAll, expect, it } from "vitest";
import { envFor, PATIENT, runLoom } from "./testing.ts";

let home: TempHome;
let model: ScriptedModel;

beforeAll(async () => {
  home = await createTempHome();
  model = await startScriptedModel({
    script: ({ prompt }) => {
      if (prompt.includes("decide")) return say("We decided: tabs, not spaces.");
      if (prompt.includes("secret")) return say("The tabs are secret.");
      return prompt.includes("what was") ? callTool("search_threads", { query: "tabs" }) : say("Done.");
    },
  });
});
afterAll(async () => {
  await model.close();
  await home.remove();
});

async function ask(prompt: string): Promise<string> {
  const { stdout } = await runLoom(home, ["-p", prompt, "--output-format", "json"], { env: envFor(model) });
  return JSON.parse(stdout).threadId;
}

it("an agent finds what was decided in another thread, but nothing of a private one", PATIENT, async () => {
  const decided = await ask("decide on tabs");
  const secret = await ask("secret");
  expect(await runLoom(home, ["threads", "private", secret])).toMatchObject({ code: 0 });
  await runLoom(home, ["-p", "what was said?", "--max-turns", "2"], { env: envFor(model) });
  const [answered = ""] = model.requests.flatMap(
    ({ conversation }) => conversation?.toolResults.map(({ text }) => text) ?? [],
  );
  expect(answered).toContain(`${decided} ("decide on tabs"), turn 1, assistant`);
  expect(answered).toContain("We decided: tabs, not spaces.");
  expect(answered).not.toContain(secret);
});
