import { describe, expect, test } from "vitest";
import type { AgentAction } from "./agent.ts";
import { startAgent, step } from "./machine.ts";
import { answers, call, done, OVERLOADED, run, SETTINGS, says } from "./testing.ts";

function types(actions: readonly AgentAction[]): string[] {
  return actions.map((action) => action.type);
}

const TEXT = { type: "text", text: "Done." } as const;

describe("a turn", () => {
  test("without tools sends one request and waits again", () => {
    const { state, actions } = run([says("hello"), answers(1, [TEXT])]);
    expect(state.type).toBe("waiting_for_user_input");
    expect(types(actions)).toEqual(["send_llm_request", "wait_for_input"]);
    expect(actions.at(-1)).toEqual({ type: "wait_for_input", outcome: "completed" });
    expect(state.context.messages).toEqual([
      { role: "user", content: [{ type: "text", text: "hello" }] },
      { role: "assistant", content: [TEXT] },
    ]);
  });

  test("runs all calls of an answer in parallel and sends their results in the order of the calls", () => {
    const { state, actions } = run([
      says("go"),
      answers(1, [call("a"), call("b")], "tool_use"),
      { type: "tool_progress", callId: "b", progress: { message: "half way" } },
      { type: "tool_completed", callId: "b", outcome: done(false) },
      { type: "tool_completed", callId: "a", outcome: done(false) },
    ]);
    expect(state.type).toBe("calling_llm");
    expect(types(actions)).toEqual(["send_llm_request", "execute_tools", "send_llm_request"]);
    const results = state.context.messages
      .at(-1)
      ?.content.map((block) => block.type === "tool_result" && block.toolCallId);
    expect(results).toEqual(["a", "b"]);
  });

  test("runs the hook only after a tool changed the workspace, and asks the model afterwards", () => {
    const events = [says("go"), answers(1, [call("a")], "tool_use")];
    const unchanged = run([...events, { type: "tool_completed", callId: "a", outcome: done(false) }]);
    expect(unchanged.state.type).toBe("calling_llm");
    const changed = run([...events, { type: "tool_completed", callId: "a", outcome: done(true) }]);
    expect(changed.state.type).toBe("post_tools_hook");
    expect(types(changed.actions).at(-1)).toBe("run_post_tools_hook");
    const after = step(changed.state, { type: "post_tools_hook_completed", actionTaken: true }, SETTINGS);
    expect(types(after.actions)).toEqual(["send_llm_request"]);
  });

  test("delivers input that came meanwhile with the next tool results", () => {
    const { actions } = run([
      says("go"),
      answers(1, [call("a")], "tool_use"),
      says("also the docs"),
      { type: "tool_completed", callId: "a", outcome: done(false) },
    ]);
    const request = actions.at(-1);
    const last = request?.type === "send_llm_request" ? request.request.messages.at(-1) : undefined;
    expect(last?.content.map((block) => block.type)).toEqual(["tool_result", "text"]);
  });

  test("starts the next turn by itself when input was waiting at its end", () => {
    const { state, actions } = run([says("one"), says("two"), says("three"), answers(1, [TEXT])]);
    expect(types(actions)).toEqual(["send_llm_request", "send_llm_request"]);
    expect(state.context.messages.at(-1)?.content).toHaveLength(2);
  });

  test("goes on when the provider paused, and joins the two halves", () => {
    const { state } = run([says("go"), answers(1, [TEXT], "pause_turn"), answers(2, [TEXT])]);
    expect(state.context.messages.map((message) => message.content.length)).toEqual([1, 2]);
  });

  test.each(["max_tokens", "refusal", "context_window_exceeded"] as const)("that ends with %s has failed", (reason) => {
    const { actions } = run([says("go"), answers(1, [TEXT], reason)]);
    expect(types(actions)).toEqual(["send_llm_request", "display_error", "wait_for_input"]);
    expect(actions.at(-1)).toEqual({ type: "wait_for_input", outcome: "failed" });
  });

  test("stops at its limit of requests with the tool results kept", () => {
    const settings = { ...SETTINGS, limits: { ...SETTINGS.limits, maxTurns: 1 } };
    const { state, actions } = run(
      [
        says("go"),
        answers(1, [call("a")], "tool_use"),
        { type: "tool_completed", callId: "a", outcome: done(true) },
        { type: "post_tools_hook_completed", actionTaken: false },
      ],
      settings,
    );
    expect(state.type).toBe("waiting_for_user_input");
    expect(types(actions).slice(-2)).toEqual(["display_error", "wait_for_input"]);
    expect(state.context.messages).toHaveLength(3);
  });

  test("gives calls that share an id, in one answer or with an older one, ids of their own", () => {
    const { state } = run([
      says("go"),
      answers(1, [call("a"), call("a"), call("")], "tool_use"),
      { type: "tool_completed", callId: "a", outcome: done(false) },
      { type: "tool_completed", callId: "a_2", outcome: done(false) },
      { type: "tool_completed", callId: "call", outcome: done(false) },
      answers(2, [call("a")], "tool_use"),
    ]);
    expect(state.type === "executing_tools" && state.executions.map(({ call }) => call.id)).toEqual(["a_3"]);
  });
});

describe("a failed request", () => {
  const fails = (requestId: number, failure = OVERLOADED) =>
    ({ type: "llm_event", requestId, event: { type: "error", error: failure } }) as const;

  test("is tried three times with growing, jittered waits, then the turn fails", () => {
    const first = run([says("go"), fails(1)]);
    const wait = first.actions.at(-1);
    expect(wait?.type === "schedule_retry" && wait.afterMs).toBeGreaterThanOrEqual(100);
    expect(wait?.type === "schedule_retry" && wait.afterMs).toBeLessThanOrEqual(300);
    const { state, actions } = run([
      says("go"),
      fails(1),
      { type: "retry_timeout_fired", requestId: 1 },
      fails(2),
      { type: "retry_timeout_fired", requestId: 2 },
      fails(3),
    ]);
    expect(actions.filter((action) => action.type === "send_llm_request")).toHaveLength(3);
    expect(types(actions).slice(-2)).toEqual(["display_error", "wait_for_input"]);
    expect(state.type).toBe("waiting_for_user_input");
  });

  test("waits as long as the provider asks", () => {
    const { actions } = run([says("go"), fails(1, { ...OVERLOADED, retryAfterMs: 7_000 })]);
    expect(actions.at(-1)).toEqual({ type: "schedule_retry", requestId: 1, afterMs: 7_000 });
  });

  test("is given up when the provider asks for longer than a person would wait", () => {
    const { actions } = run([says("go"), fails(1, { ...OVERLOADED, retryAfterMs: 3_600_000 })]);
    expect(types(actions)).toEqual(["send_llm_request", "display_error", "wait_for_input"]);
  });

  test("that cannot get better is not repeated", () => {
    const failure = { code: "unauthorized", message: "The key was refused.", retryable: false } as const;
    const { actions } = run([says("go"), fails(1, failure)]);
    expect(types(actions)).toEqual(["send_llm_request", "display_error", "wait_for_input"]);
  });

  test("keeps the text that was already shown when the turn fails for good", () => {
    const { state } = run([
      says("go"),
      { type: "llm_event", requestId: 1, event: { type: "text_delta", text: "Half an ans" } },
      fails(1, { ...OVERLOADED, retryable: false }),
    ]);
    expect(state.context.messages.at(-1)).toEqual({
      role: "assistant",
      content: [{ type: "text", text: "Half an ans" }],
    });
  });
});

describe("an interrupt", () => {
  test("keeps the partial text and waits", () => {
    const { state, actions } = run([
      says("go"),
      { type: "llm_event", requestId: 1, event: { type: "text_delta", text: "Let me" } },
      { type: "interrupt" },
    ]);
    expect(actions.at(-1)).toEqual({ type: "wait_for_input", outcome: "interrupted" });
    expect(state.context.messages.at(-1)).toEqual({ role: "assistant", content: [{ type: "text", text: "Let me" }] });
  });

  test("answers the calls that were still open, and keeps the results that were there", () => {
    const { state } = run([
      says("go"),
      answers(1, [call("a"), call("b")], "tool_use"),
      { type: "tool_completed", callId: "a", outcome: done(true) },
      { type: "interrupt" },
    ]);
    const results = state.context.messages
      .at(-1)
      ?.content.map((block) => block.type === "tool_result" && block.isError);
    expect(results).toEqual([false, true]);
  });

  test("gives control back: input that was waiting goes with what the person says next", () => {
    const { state, actions } = run([says("go"), says("and the docs"), { type: "interrupt" }]);
    expect(state.type).toBe("waiting_for_user_input");
    expect(types(actions)).toEqual(["send_llm_request", "wait_for_input"]);
    const next = step(state, says("in English"), SETTINGS);
    expect(next.state.context.messages.at(-1)?.content).toHaveLength(3);
  });

  test("at rest does nothing", () => {
    const start = startAgent({ messages: [], seed: 1 }).state;
    expect(step(start, { type: "interrupt" }, SETTINGS)).toEqual({ state: start, actions: [] });
  });
});
