import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ContentBlock, conversationProblem, isThreadId, type Message, replay } from "@loom/core";
import {
  callTool,
  callTools,
  createGitRepository,
  createTempHome,
  type GitRepository,
  type ScriptedModel,
  type ScriptFunction,
  say,
  startProcess,
  startScriptedModel,
  type TempHome,
} from "@loom/testkit";
import { stepDigest } from "@loom/threads";
import { builtinTools } from "@loom/tools";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CRASH_SESSION } from "./crash-session.testing.ts";
import type { SessionUpdate } from "./session-types.ts";
import { openWorkspaceSession, type WorkspaceSessionSetup } from "./workspace-session.testing.ts";

let home: TempHome;
let repository: GitRepository;

beforeEach(async () => {
  home = await createTempHome();
  repository = await createGitRepository({
    "sum.sh": "echo $(($1 - $2))\n",
    "test.sh": '[ "$(sh sum.sh 2 3)" = 5 ]\n',
  });
});
afterEach(async () => {
  await repository.remove();
  await home.remove();
});

const text = (words: string) => [{ type: "text" as const, text: words }];

function open(model: ScriptedModel, setup: Partial<WorkspaceSessionSetup> = {}) {
  const { path: workspace } = repository;
  return openWorkspaceSession({
    workspace,
    modelUrl: model.url,
    dataDir: home.dataDir,
    environment: home.env,
    ...setup,
  });
}

test("an agent makes a failing test pass, and its change is a commit with a message of the model", async () => {
  await using model = await startScriptedModel({
    script: [
      callTool("bash", { command: "sh test.sh" }),
      callTools([
        { name: "read_file", input: { path: "sum.sh" } },
        { name: "search", input: { pattern: "sum" } },
      ]),
      callTool("edit_file", { path: "sum.sh", edits: [{ oldText: "$1 - $2", newText: "$1 + $2" }] }),
      callTool("bash", { command: "sh test.sh && echo passed" }),
      say("The test passes."),
    ],
  });
  const updates: SessionUpdate[] = [];
  await using opened = open(model, { onUpdate: (update) => updates.push(update) });
  const result = await opened.session.send(text("make the tests pass"));
  expect(result).toMatchObject({ outcome: "completed", text: "The test passes.", turns: 5, requests: 6, toolCalls: 5 });
  expect(await repository.git("log", "-1", "--format=%an: %s", "--name-only")).toMatch(
    /^Ada Example: fix\(sum\): .*\n\nsum\.sh\n$/,
  );
  expect(await repository.git("status", "--porcelain")).toBe("");
  const finished = updates.filter((update) => update.type === "tool_finished");
  expect(finished.map(({ outcome }) => outcome.type)).toEqual(Array(5).fill("success"));
  expect(updates.find((update) => update.type === "commit")).toMatchObject({ paths: ["sum.sh"] });

  await opened.session.shutdown();
  const thread = opened.store.load(opened.session.threadId ?? "T-");
  expect(thread.commits).toHaveLength(1);
  expect(thread.totals).toEqual(opened.session.totals);
  for (const run of thread.runs) expect(replay(run, stepDigest).mismatch).toBeUndefined();
});

test("the first request is no larger than 10 KB with every tool", async () => {
  await using model = await startScriptedModel({ script: [say("Hello.")] });
  await using opened = open(model);
  await opened.session.send(text("hello"));
  const [request] = model.requests;
  expect(request?.conversation?.tools.map(({ name }) => name)).toEqual(
    builtinTools.definitions.map(({ name }) => name),
  );
  expect(request?.bodyBytes).toBeLessThanOrEqual(10_000);
});

test("a model that asks for a tool that is not there, or with broken arguments, is told so and can go on", async () => {
  await using model = await startScriptedModel({
    script: [
      callTools([
        { name: "teleport", input: {} },
        { name: "bash", input: { cmd: "true" } },
        { name: "edit_file", rawArguments: '{"path": "a' },
      ]),
      say("I see."),
    ],
  });
  await using opened = open(model);
  expect(await opened.session.send(text("go"))).toMatchObject({ outcome: "completed", text: "I see." });
  const answered = JSON.stringify(model.requests[1]?.body);
  expect(answered).toContain("There is no tool");
  expect(answered).toContain("do not fit");
  expect(answered).toContain("not a JSON object");
});

test("an interrupt ends the command that runs, at once, and leaves a conversation to go on with", async () => {
  await using model = await startScriptedModel({
    script: [callTool("bash", { command: "echo begun; sleep 600" }), say("Stopped.")],
  });
  const begun = Promise.withResolvers<void>();
  const onUpdate = ({ type }: SessionUpdate) => type === "tool_progress" && begun.resolve();
  await using opened = open(model, { onUpdate });
  const turn = opened.session.send(text("go"));
  await begun.promise;
  opened.session.interrupt();
  expect(await turn).toMatchObject({ outcome: "interrupted", cause: "person" });
  expect(await opened.session.send(text("what happened?"))).toMatchObject({ text: "Stopped." });
});

/** Steps of all sessions together, should a kill never come. */
const MOST = 300;

describe("a session that is killed", () => {
  /** Counts in a file until the person says something new. */
  const script: ScriptFunction = ({ prompt }, index) =>
    prompt.includes("go on") || index > MOST
      ? say("Done.")
      : callTools([
          { name: "bash", input: { command: `echo ${index} >> log.txt` } },
          { name: "bash", input: { command: "true" } },
        ]);

  test("at any moment loses at most the action in flight, and can be resumed", async () => {
    await using model = await startScriptedModel({ script });
    for (const count of [3, 8, 13, 26, 41, 60]) {
      await repository.write({ "log.txt": "" });
      const args = [CRASH_SESSION, repository.path, model.url, home.dataDir];
      const child = await startProcess(process.execPath, args, { env: home.env });
      await child.waitForOutput(new RegExp(`^(.*\\n){${count}}`));
      child.signal("SIGKILL");
      const { stdout } = await child.exited;
      const id = stdout.split(" ", 1)[0] ?? "";
      if (!isThreadId(id)) throw new Error(`not an id: ${stdout}`);

      await using opened = open(model, { thread: (store) => store.open(id) });
      const { messages } = opened.session.state.context;
      expect(conversationProblem(messages)).toBeUndefined();
      const lines = readFileSync(join(repository.path, "log.txt"), "utf8").split("\n").length - 1;
      const { succeeded, interrupted } = countingCalls(messages);
      expect(lines).toBeGreaterThanOrEqual(succeeded);
      expect(lines).toBeLessThanOrEqual(succeeded + interrupted);
      expect(await opened.session.send(text("go on"))).toMatchObject({ outcome: "completed", text: "Done." });
      await opened.session.shutdown();
      expect(opened.store.load(id)).toMatchObject({ interrupted: false, torn: false });
    }
    await repository.git("fsck", "--strict");
  }, 120_000);
});

/** How the calls that count in the file ended, as the conversation tells it. */
function countingCalls(messages: readonly Message[]): { succeeded: number; interrupted: number } {
  const counting = new Set<string>();
  let succeeded = 0;
  let interrupted = 0;
  for (const block of messages.flatMap(({ content }): readonly ContentBlock[] => content)) {
    if (block.type === "tool_use" && block.input.command !== "true") counting.add(block.id);
    if (block.type !== "tool_result" || !counting.has(block.toolCallId)) continue;
    if (block.isError) interrupted += 1;
    else succeeded += 1;
  }
  return { succeeded, interrupted };
}
