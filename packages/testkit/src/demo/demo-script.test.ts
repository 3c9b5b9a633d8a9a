import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { anthropicRequest } from "../client-requests.testing.ts";
import type { GitRepository } from "../environment/git-repository.ts";
import { createGitRepository } from "../environment/git-repository.ts";
import { runProcess } from "../environment/run-process.ts";
import { createTempHome, type TempHome } from "../environment/temp-home.ts";
import { type ScriptedModel, startScriptedModel } from "../model/scripted-model.ts";
import { exchange } from "../raw-exchange.testing.ts";
import { createDemoRepository } from "./demo-repository.ts";
import { demoScript } from "./demo-script.ts";

type Block = { type: string; text?: string; id: string; name: string; input: Record<string, unknown> };
type Transcript = { readonly calls: readonly Block[]; readonly closing: string };

const TOOLS = ["read_file", "list_files", "search", "edit_file", "bash"];

let home: TempHome;
let model: ScriptedModel;
let repository: GitRepository;

async function setUp(create: (directory: string) => Promise<GitRepository>): Promise<void> {
  home = await createTempHome();
  model = await startScriptedModel({ script: demoScript });
  repository = await create(join(home.path, "work"));
}

afterEach(async () => {
  await model.close();
  await home.remove();
});

/** The five tools in their barest form. */
async function runTool({ name, input }: Block): Promise<string> {
  const path = join(repository.path, String(input.path ?? "."));
  switch (name) {
    case "list_files":
      return (await readdir(path, { recursive: true })).filter((entry) => !entry.startsWith(".git")).join("\n");
    case "read_file": {
      const lines = (await readFile(path, "utf8")).split("\n");
      return lines.map((line, index) => `${String(index + 1).padStart(5)}\t${line}`).join("\n");
    }
    case "search":
      return (await runProcess("grep", ["-rn", String(input.pattern), path])).stdout;
    case "edit_file": {
      const [edit] = input.edits as { oldText: string; newText: string }[];
      const before = await readFile(path, "utf8");
      expect(before.split(edit?.oldText ?? "")).toHaveLength(2);
      await writeFile(
        path,
        before.replace(edit?.oldText ?? "", () => edit?.newText ?? ""),
      );
      return "1 replacement made.";
    }
    default: {
      const { code, stdout, stderr } = await runProcess("sh", ["-c", String(input.command)], {
        cwd: repository.path,
        env: home.env,
      });
      return `${stdout}${stderr}\nexit code ${code}`;
    }
  }
}

/** A client that does what the model asks until the model asks for nothing. */
async function converse(prompt: string, toolNames = TOOLS): Promise<Transcript> {
  const tools = toolNames.map((name) => ({ name, input_schema: { type: "object" } }));
  const messages: object[] = [{ role: "user", content: prompt }];
  const calls: Block[] = [];
  for (let turn = 0; turn < 20; turn++) {
    const { text } = await exchange(`${model.url}/v1/messages`, anthropicRequest({ messages, tools }));
    const { content } = JSON.parse(text) as { content: Block[] };
    const wanted = content.filter((block) => block.type === "tool_use");
    if (wanted.length === 0) return { calls, closing: content.map((block) => block.text ?? "").join("") };
    calls.push(...wanted);
    const results: object[] = [];
    for (const call of wanted) {
      results.push({ type: "tool_result", tool_use_id: call.id, content: await runTool(call) });
    }
    messages.push({ role: "assistant", content }, { role: "user", content: results });
  }
  throw new Error("The model never came to an end.");
}

async function testsPass(): Promise<boolean> {
  return (await runProcess("npm", ["test"], { cwd: repository.path, env: home.env })).code === 0;
}

describe("the demo's repository", () => {
  test("is a clean git repository whose tests fail in one place", async () => {
    await setUp(createDemoRepository);
    expect(await repository.git("status", "--porcelain")).toBe("");
    expect(await repository.git("log", "--format=%s")).toBe("feat: count and cut pages\n");
    const { code, stdout } = await runProcess("npm", ["test"], { cwd: repository.path, env: home.env });
    expect(code).toBe(1);
    expect(stdout).toMatch(/(?:ℹ|#) fail 1$/m);
  });
});

describe("the demo's model", () => {
  test("makes the tests pass by editing the source, and says so", async () => {
    await setUp(createDemoRepository);
    const { calls, closing } = await converse("make the tests pass");
    expect(calls.map((call) => call.name)).toEqual([
      "list_files",
      "bash",
      "read_file",
      "search",
      "read_file",
      "edit_file",
      "bash",
    ]);
    expect(closing).toBe("All tests pass now. I changed src/paginate.js and left the tests as they were.");
    expect(await repository.git("diff", "--stat")).toContain("src/paginate.js | 2 +-");
    expect(await testsPass()).toBe(true);
  });

  test("decides from what the tools say: another bug elsewhere is found too", async () => {
    const source =
      "export function sum(list) {\n  let total = 0;\n  for (let i = 0; i <= list.length; i++) total += list[i];\n  return total;\n}\n";
    const check =
      'import assert from "node:assert/strict";\nimport { test } from "node:test";\nimport { sum } from "../lib/math/sum.js";\n\ntest("adds up", () => {\n  assert.equal(sum([1, 2]), 3);\n});\n';
    const files = {
      "package.json": '{"type":"module","scripts":{"test":"node --test"}}',
      "lib/math/sum.js": source,
      "test/deep/sum.test.js": check.replace("../lib", "../../lib"),
      "test/sum.test.js": check,
    };
    await setUp((directory) => createGitRepository(files, { directory }));
    const { closing } = await converse("Please fix the failing test");
    expect(closing).toContain("I changed lib/math/sum.js");
    expect(await testsPass()).toBe(true);
  });

  test("changes nothing where all tests pass", async () => {
    await setUp(async (directory) => {
      const created = await createDemoRepository(directory);
      const path = join(directory, "src/paginate.js");
      const source = await readFile(path, "utf8");
      await writeFile(path, source.replace("Math.floor(total / perPage) + 1", "Math.ceil(total / perPage)"));
      return created;
    });
    const { calls, closing } = await converse("make the tests pass");
    expect(calls.map((call) => call.name)).toEqual(["list_files", "bash"]);
    expect(closing).toContain("nothing to change");
  });

  test("gives up on a mistake it does not know, and leaves the files alone", async () => {
    await setUp(async (directory) => {
      const created = await createDemoRepository(directory);
      const path = join(directory, "src/paginate.js");
      const source = await readFile(path, "utf8");
      await writeFile(path, source.replace("Math.floor(total / perPage) + 1", "total"));
      return created;
    });
    const { calls, closing } = await converse("make the tests pass");
    expect(calls.map((call) => call.name)).not.toContain("edit_file");
    expect(closing).toContain("none of the mistakes I know");
  });

  test("stops where the tests cannot run", async () => {
    await setUp((directory) => createGitRepository({ "notes.txt": "nothing here\n" }, { directory }));
    const { closing } = await converse("make the tests pass");
    expect(closing).toContain("did not run as expected");
  });

  test("says which tools it misses", async () => {
    await setUp(createDemoRepository);
    const { closing } = await converse("make the tests pass", ["read_file", "search"]);
    expect(closing).toBe("I cannot do that without these tools: bash, edit_file.");
  });

  test("answers anything else politely", async () => {
    await setUp(createDemoRepository);
    const { calls, closing } = await converse("What is the weather like?");
    expect(calls).toEqual([]);
    expect(closing).toContain("I am Loom's scripted model");
  });
});
