import { conversationProblem, type Message } from "@loom/core";
import { expect, test } from "vitest";
import { ConversationFold } from "../conversation-fold.ts";
import type { ThreadHeader, ThreadRecord } from "../record.ts";
import { addToFacts, factsOf, type ThreadFacts } from "../thread-facts.ts";
import { importSession } from "./import-session.ts";

const ID = "T-0192f0c1-2f3b-7c4d-8e5f-0123456789ab";
const OPTIONS = { id: ID, now: "2026-11-29T00:00:00.000Z", loomVersion: "0.1.0" } as const;

function jsonLines(...values: readonly unknown[]): string {
  return `${values.map((value) => JSON.stringify(value)).join("\n")}\n`;
}

/** As a thread of Loom is gone on with. */
function replay([header, ...records]: readonly ThreadRecord[]): { messages: readonly Message[]; facts: ThreadFacts } {
  const fold = new ConversationFold();
  let facts = factsOf(header as ThreadHeader);
  for (const record of records as Exclude<ThreadRecord, ThreadHeader>[]) {
    expect(fold.apply(record)).toBeUndefined();
    facts = addToFacts(facts, record);
  }
  const messages = fold.messagesAtRest();
  expect(conversationProblem(messages)).toBeUndefined();
  return { messages, facts };
}

function shape(messages: readonly Message[]): string[] {
  return messages.map(({ role, content }) => `${role}: ${content.map(({ type }) => type).join(" ")}`);
}

test("a session of Claude Code becomes a thread that can be gone on with", () => {
  const base = { cwd: "/srv/app", gitBranch: "main", sessionId: "s", version: "2.0.0" };
  const at = (second: number) => ({ ...base, timestamp: `2026-11-20T10:00:0${second}.000Z` });
  const model = { id: "msg_1", role: "assistant", model: "claude-opus-4-5" };
  const file = jsonLines(
    { type: "summary", summary: "Fix the parser", leafUuid: "x" },
    { type: "file-history-snapshot", snapshot: {} },
    { ...at(0), type: "user", isMeta: true, message: { role: "user", content: "Caveat" } },
    { ...at(1), type: "user", message: { role: "user", content: "Fix it" } },
    {
      ...at(2),
      type: "assistant",
      message: { ...model, content: [{ type: "thinking", thinking: "hm", signature: "s" }] },
    },
    {
      ...at(3),
      type: "assistant",
      message: {
        ...model,
        content: [{ type: "tool_use", id: "toolu_1", name: "Read", input: { file_path: "a.ts" } }],
        usage: { input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 7 },
      },
    },
    {
      ...at(4),
      type: "assistant",
      isSidechain: true,
      message: { ...model, content: [{ type: "text", text: "helper" }] },
    },
    {
      ...at(5),
      type: "user",
      message: {
        role: "user",
        content: [{ type: "tool_result", tool_use_id: "toolu_1", content: [{ type: "text", text: "1: x" }] }],
      },
    },
    { ...at(6), type: "assistant", message: { ...model, id: "msg_2", content: [{ type: "text", text: "Done." }] } },
    { ...at(7), type: "user", message: { role: "user", content: [{ type: "text", text: "And now?" }] } },
  );
  const { messages, facts } = replay(importSession("claude-code", file, OPTIONS));
  expect(shape(messages).slice(0, 4)).toEqual([
    "user: text",
    "assistant: thinking tool_use",
    "user: tool_result",
    "assistant: text",
  ]);
  expect(facts).toMatchObject({
    title: "Fix the parser",
    workspace: "/srv/app",
    createdAt: "2026-11-20T10:00:01.000Z",
    turns: 2,
    models: ["claude-opus-4-5"],
    git: { branch: "main" },
    totals: { usage: { inputTokens: 10, outputTokens: 5, cacheReadTokens: 7 } },
  });
});

test("a session of Codex becomes a thread that can be gone on with", () => {
  const item = (payload: unknown) => ({ timestamp: "2026-11-20T10:00:00.000Z", type: "response_item", payload });
  const file = jsonLines(
    {
      timestamp: "2026-11-20T10:00:00.000Z",
      type: "session_meta",
      payload: {
        id: "s",
        cwd: "/srv/app",
        git: { commit_hash: "ab".repeat(20), branch: "dev", repository_url: "git@github.com:acme/app.git" },
      },
    },
    { timestamp: "2026-11-20T10:00:00.000Z", type: "turn_context", payload: { cwd: "/srv/app", model: "gpt-5.4" } },
    item({ type: "message", role: "user", content: [{ type: "input_text", text: "<environment_context>…" }] }),
    item({ type: "message", role: "user", content: [{ type: "input_text", text: "List the files" }] }),
    item({ type: "reasoning", summary: [{ type: "summary_text", text: "List them" }], encrypted_content: "…" }),
    item({ type: "function_call", name: "shell", arguments: '{"command":["ls"]}', call_id: "call_1" }),
    { timestamp: "2026-11-20T10:00:01.000Z", type: "event_msg", payload: { type: "token_count" } },
    item({ type: "function_call_output", call_id: "call_1", output: '{"output":"a.ts","metadata":{"exit_code":0}}' }),
    item({ type: "custom_tool_call", name: "apply_patch", input: "*** Begin Patch", call_id: "call_2" }),
    item({ type: "message", role: "assistant", content: [{ type: "output_text", text: "There is a.ts." }] }),
  );
  const { messages, facts } = replay(importSession("codex", file, OPTIONS));
  expect(shape(messages)).toEqual([
    "user: text",
    "assistant: thinking tool_use",
    "user: tool_result",
    "assistant: tool_use text",
    "user: tool_result",
  ]);
  expect(facts).toMatchObject({
    workspace: "/srv/app",
    models: ["gpt-5.4"],
    git: { branch: "dev", remote: "github.com/acme/app", commit: "ab".repeat(20) },
  });
});

test("a session of opencode becomes a thread that can be gone on with", () => {
  const created = Date.parse("2026-11-20T10:00:00.000Z");
  const file = JSON.stringify(
    {
      info: { id: "ses_1", title: "Rename", directory: "/srv/app", time: { created } },
      messages: [
        {
          info: { role: "user", time: { created } },
          parts: [
            { type: "text", text: "Rename it" },
            { type: "text", text: "hidden", synthetic: true },
          ],
        },
        {
          info: {
            role: "assistant",
            time: { created },
            modelID: "claude-opus-4-5",
            tokens: { input: 3, output: 4, cache: { read: 5, write: 6 } },
          },
          parts: [
            { type: "step-start" },
            { type: "reasoning", text: "hm" },
            {
              type: "tool",
              callID: "c1",
              tool: "edit",
              state: { status: "completed", input: { file: "a" }, output: "ok" },
            },
            { type: "tool", callID: "c2", tool: "bash", state: { status: "error", input: {}, error: "no" } },
            { type: "step-finish" },
            { type: "step-start" },
            { type: "text", text: "Renamed." },
          ],
        },
      ],
    },
    null,
    2,
  );
  const { messages, facts } = replay(importSession("opencode", file, OPTIONS));
  expect(shape(messages)).toEqual([
    "user: text",
    "assistant: thinking tool_use tool_use",
    "user: tool_result tool_result",
    "assistant: text",
  ]);
  expect(facts).toMatchObject({
    title: "Rename",
    workspace: "/srv/app",
    totals: { usage: { inputTokens: 3, cacheWriteTokens: 6 } },
  });
});

test("a session whose beginning or results are missing is mended, not refused", () => {
  const message = { role: "assistant", model: "m", content: [{ type: "tool_use", id: "t1", name: "Bash", input: {} }] };
  const file = jsonLines(
    { type: "assistant", timestamp: "2026-11-20T10:00:00Z", message },
    { type: "user", message: { role: "user", content: "Go on" } },
  );
  const { messages } = replay(importSession("claude-code", file, OPTIONS));
  expect(shape(messages).slice(0, 2)).toEqual(["user: text", "assistant: tool_use"]);
});
