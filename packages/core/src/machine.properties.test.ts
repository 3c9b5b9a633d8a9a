import { hash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AgentAction, AgentEvent, AgentState } from "./agent.ts";
import { conversationProblem } from "./conversation.ts";
import { startAgent, step } from "./machine.ts";
import { replay, traceStep } from "./replay.ts";
import { answers, eventFor, SETTINGS } from "./testing.ts";

type Moment = { before: AgentState; event: AgentEvent; after: AgentState; actions: readonly AgentAction[] };

const sha256 = (text: string) => hash("sha256", text);
const limits = { ...SETTINGS.limits, maxTurns: 6 };
const settings = { ...SETTINGS, limits };

/** A walk of the machine through events that are drawn with its state in view. */
const walks: fc.Arbitrary<Moment[]> = fc
  .tuple(
    fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { minLength: 1, maxLength: 80, size: "max" }),
    fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  )
  .map(([draws, seed]) => {
    const moments: Moment[] = [];
    let { state } = startAgent({ messages: [], seed });
    for (const draw of draws) {
      const event = eventFor(state, draw);
      const next = step(state, event, settings);
      moments.push({ before: state, event, after: next.state, actions: next.actions });
      state = next.state;
    }
    return moments;
  });

function holds(check: (moments: Moment[]) => void) {
  fc.assert(fc.property(walks, check), { numRuns: 300 });
}

describe("for every sequence of events", () => {
  test("the walks visit every state and every action, so that nothing below holds for want of trying", () => {
    const states = new Set<string>();
    const asked = new Set<string>();
    for (const moments of fc.sample(walks, { numRuns: 2_000, seed: 1 })) {
      for (const { after, actions } of moments) {
        states.add(after.type);
        for (const action of actions) asked.add(action.type);
      }
    }
    expect(states.size).toBe(7);
    expect(asked.size).toBe(8);
  });

  test("the conversation is valid whenever no tool is running", () => {
    holds((moments) => {
      for (const { after } of moments) {
        if (after.type !== "executing_tools") expect(conversationProblem(after.context.messages)).toBeUndefined();
      }
    });
  });

  test("every request carries a valid conversation that ends with the user, or with an answer that was paused", () => {
    holds((moments) => {
      for (const { actions, before } of moments) {
        for (const action of actions) {
          if (action.type !== "send_llm_request") continue;
          expect(conversationProblem(action.request.messages)).toBeUndefined();
          if (action.request.messages.at(-1)?.role !== "user") {
            expect(["calling_llm", "processing_llm_response", "error"]).toContain(before.type);
          }
        }
      }
    });
  });

  test("each tool call gets exactly one result before the next request", () => {
    holds((moments) => {
      const asked: string[] = [];
      for (const { actions } of moments) {
        for (const action of actions) {
          if (action.type === "execute_tools") asked.push(...action.calls.map((call) => call.id));
          if (action.type !== "send_llm_request") continue;
          const results = action.request.messages.flatMap((message) =>
            message.role === "user"
              ? message.content.filter((block) => block.type === "tool_result").map((block) => block.toolCallId)
              : [],
          );
          expect(results).toEqual(asked);
        }
      }
    });
  });

  test("no request leaves while a tool runs, and no two requests are out at once", () => {
    holds((moments) => {
      for (const { after, actions } of moments) {
        const sent = actions.filter((action) => action.type === "send_llm_request");
        expect(sent.length).toBeLessThanOrEqual(1);
        if (sent.length === 1) expect(after.type).toBe("calling_llm");
        if (after.type === "executing_tools") expect(sent).toEqual([]);
      }
    });
  });

  test("request numbers only grow, and answers to older ones change nothing", () => {
    holds((moments) => {
      for (const { before, event, after } of moments) {
        expect(after.context.requestId).toBeGreaterThanOrEqual(before.context.requestId);
        if (event.type === "llm_event" && event.requestId !== before.context.requestId) expect(after).toBe(before);
      }
    });
  });

  test("shutdown is final", () => {
    holds((moments) => {
      for (const { before, after, actions } of moments) {
        if (before.type !== "shutting_down") continue;
        expect(after).toBe(before);
        expect(actions).toEqual([]);
      }
    });
  });

  test("input is never lost: it is in the conversation or in the queue, in the order it came", () => {
    holds((moments) => {
      const given: string[] = [];
      for (const { before, event, after } of moments) {
        if (event.type === "user_input" && before.type !== "shutting_down") given.push(...event.input.map(textOf));
        const messages = after.context.messages.flatMap((message) => (message.role === "user" ? message.content : []));
        const kept = [...messages, ...after.context.queued.flat()].filter((block) => block.type === "text");
        expect(kept.map((block) => block.text)).toEqual(given);
      }
    });
  });

  test("a failed request is tried at most three times, and waits are within their bounds", () => {
    holds((moments) => {
      for (const { after, actions } of moments) {
        if (after.type === "calling_llm") expect(after.retries).toBeLessThan(limits.maxAttempts);
        for (const action of actions) {
          if (action.type !== "schedule_retry") continue;
          expect(action.afterMs).toBeGreaterThanOrEqual(0);
          expect(action.afterMs).toBeLessThanOrEqual(limits.maxRetryAfterMs);
        }
      }
    });
  });

  test("a turn makes no more requests than its limit", () => {
    holds((moments) => {
      for (const { after } of moments) expect(after.context.turns).toBeLessThanOrEqual(limits.maxTurns);
    });
  });

  test("replaying the log gives identical states and actions", () => {
    holds((moments) => {
      const first = moments[0]?.before ?? startAgent({ messages: [], seed: 0 }).state;
      const entries = JSON.parse(
        JSON.stringify(
          moments.map(({ before, event, after, actions }) => ({
            event,
            trace: traceStep(before, { state: after, actions }, sha256),
          })),
        ),
      );
      const again = replay({ settings, start: { messages: [], seed: first.context.seed }, entries }, sha256);
      expect(again.mismatch).toBeUndefined();
      expect(again.state).toEqual(moments.at(-1)?.after);
    });
  });

  test("deltas that a log has merged lead to the same state", () => {
    holds((moments) => {
      const merged = mergeTextDeltas(moments.map(({ event }) => event));
      const seed = moments[0]?.before.context.seed ?? 0;
      const again = replay(
        { settings, start: { messages: [], seed }, entries: merged.map((event) => ({ event })) },
        sha256,
      );
      expect(again.state).toEqual(moments.at(-1)?.after);
    });
  });

  test("nothing that was handed in or out is changed later", () => {
    holds((moments) => {
      for (const { before, event, after } of moments) {
        const snapshot = JSON.stringify([before, event]);
        step(deepFreeze(before), deepFreeze(event), settings);
        expect(JSON.stringify([before, event])).toBe(snapshot);
        deepFreeze(after);
      }
    });
  });
});

test("a log that was changed by hand is found out at the changed record", () => {
  const events: AgentEvent[] = [
    { type: "user_input", input: [{ type: "text", text: "hello" }] },
    { type: "interrupt" },
  ];
  let { state } = startAgent({ messages: [], seed: 7 });
  const entries = events.map((event) => {
    const next = step(state, event, settings);
    const entry = { event, trace: traceStep(state, next, sha256) };
    state = next.state;
    return entry;
  });
  const forged = entries.with(0, {
    event: { type: "user_input", input: [{ type: "text", text: "hallo" }] },
    trace: entries[0]?.trace ?? { state: "error", actions: [], digest: "" },
  });
  expect(replay({ settings, start: { messages: [], seed: 7 }, entries: forged }, sha256).mismatch?.index).toBe(0);
});

test("a digest that an earlier version made in another way is no difference", () => {
  const event: AgentEvent = { type: "user_input", input: [{ type: "text", text: "hello" }] };
  const start = { messages: [], seed: 7 };
  const { state } = startAgent(start);
  const trace = { ...traceStep(state, step(state, event, settings), sha256), digest: "0123456789abcd" };
  expect(replay({ settings, start, entries: [{ event, trace }] }, sha256).mismatch).toBeUndefined();
  const elsewhere = { ...trace, state: "error" as const };
  expect(replay({ settings, start, entries: [{ event, trace: elsewhere }] }, sha256).mismatch?.index).toBe(0);
});

test("a tool whose input has a field named request is traced like any other", () => {
  const call = { type: "tool_use" as const, id: "a", name: "http", input: { request: "GET /", pendingRequest: null } };
  const { state } = startAgent({ messages: [], seed: 7 });
  const calling = step(state, { type: "user_input", input: [{ type: "text", text: "hello" }] }, settings).state;
  const next = step(calling, answers(calling.context.requestId, [call], "tool_use"), settings);
  expect(traceStep(calling, next, sha256)).toMatchObject({ state: "executing_tools", actions: ["execute_tools"] });
});

function textOf(block: { type: string; text?: string }): string {
  return block.text ?? "";
}

function mergeTextDeltas(events: readonly AgentEvent[]): AgentEvent[] {
  const merged: AgentEvent[] = [];
  for (const event of events) {
    const last = merged.at(-1);
    if (
      last?.type === "llm_event" &&
      event.type === "llm_event" &&
      last.requestId === event.requestId &&
      last.event.type === "text_delta" &&
      event.event.type === "text_delta"
    ) {
      const text = last.event.text + event.event.text;
      merged[merged.length - 1] = { ...last, event: { type: "text_delta", text } };
    } else merged.push(event);
  }
  return merged;
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
