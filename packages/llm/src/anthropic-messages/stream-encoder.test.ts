import type { AssistantContent, LlmEvent, LlmResponse } from "@loom/core";
import { NO_USAGE } from "@loom/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { failure, response, stream } from "../arbitrary.testing.ts";
import { brokenCallIn, isBrokenCall } from "../broken-call.ts";
import { JsonObjectEnd } from "../json-end.ts";
import { anthropicMessages } from "./codec.ts";
import { decode } from "./messages.testing.ts";

const COMPLETED: LlmResponse = {
  message: { role: "assistant", content: [] },
  stopReason: "end_turn",
  usage: { ...NO_USAGE, inputTokens: 5, outputTokens: 9, cacheReadTokens: 3 },
  model: "model-1",
};

function completed(...content: AssistantContent[]): LlmEvent {
  return { type: "completed", response: { ...COMPLETED, message: { role: "assistant", content } } };
}

const text = (value: string): LlmEvent => ({ type: "text_delta", text: value });
const thinking = (value: string): LlmEvent => ({ type: "thinking_delta", text: value });
const call = (callId: string, argumentsFragment: string): LlmEvent => ({
  type: "tool_call_delta",
  callId,
  name: "bash",
  argumentsFragment,
});

function goesOnBehindItsEnd(block: AssistantContent): boolean {
  if (block.type !== "tool_use" || block.malformedInput === undefined) return false;
  const end = new JsonObjectEnd();
  return [...block.malformedInput].some((each) => {
    const isBehind = end.ended && each.trim() !== "";
    end.push(each);
    return isBehind;
  });
}

/** The `data` of every event, with the event's name checked against it. */
function wire(...events: LlmEvent[]) {
  const written = anthropicMessages.streamEncoder({ id: "1", model: "alias" }).push(events);
  return written
    .split("\n\n")
    .slice(0, -1)
    .map((event) => {
      const [name, data = ""] = event.split("\n");
      const body = JSON.parse(data.slice("data: ".length));
      expect(name).toBe(`event: ${body.type}`);
      return body;
    });
}

/** Events in short: `start 0 text`, `text_delta 0`, `stop 0`. */
function shape(...events: LlmEvent[]): string[] {
  return wire(...events).map(({ type, index, content_block, delta }) => {
    if (type === "content_block_start") return `start ${index} ${content_block.type}`;
    if (type === "content_block_delta") return `${delta.type} ${index}`;
    return type === "content_block_stop" ? `stop ${index}` : type;
  });
}

describe("an answer for a client that speaks the dialect", () => {
  test("has the provider's events in the provider's order", () => {
    expect(wire(text("Hel"), text("lo"), completed({ type: "text", text: "Hello" }))).toEqual([
      {
        type: "message_start",
        message: {
          id: "msg_1",
          type: "message",
          role: "assistant",
          model: "alias",
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: expect.objectContaining({ input_tokens: 0, output_tokens: 0 }),
        },
      },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hel" } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "lo" } },
      { type: "content_block_stop", index: 0 },
      {
        type: "message_delta",
        delta: { stop_reason: "end_turn", stop_sequence: null },
        usage: {
          input_tokens: 5,
          output_tokens: 9,
          cache_read_input_tokens: 3,
          cache_creation_input_tokens: 0,
          cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
          output_tokens_details: { thinking_tokens: 0 },
        },
      },
      { type: "message_stop" },
    ]);
  });

  test("knows model and token counts from the start if nothing was streamed before the end", () => {
    expect(wire(completed())[0].message).toMatchObject({
      model: "model-1",
      usage: { input_tokens: 5, output_tokens: 9 },
    });
  });

  test("opens one block at a time", () => {
    const content: AssistantContent[] = [
      { type: "thinking", text: "Hm" },
      { type: "text", text: "Yes" },
      { type: "tool_use", id: "a", name: "bash", input: { n: 1 } },
    ];
    expect(
      shape(thinking("H"), thinking("m"), text("Yes"), call("a", ""), call("a", '{"n":1}'), completed(...content)),
    ).toEqual([
      "message_start",
      ...["start 0 thinking", "thinking_delta 0", "thinking_delta 0", "stop 0"],
      ...["start 1 text", "text_delta 1", "stop 1"],
      ...["start 2 tool_use", "input_json_delta 2", "stop 2"],
      ...["message_delta", "message_stop"],
    ]);
  });

  test("keeps interleaved tool calls apart, with pings while the others grow", () => {
    const encoder = anthropicMessages.streamEncoder();
    encoder.push([call("a", '{"n"'), call("b", '{"n"')]);
    expect(encoder.push([call("b", ":2")])).toBe('event: ping\ndata: {"type":"ping"}\n\n');
    const calls: AssistantContent[] = [
      { type: "tool_use", id: "a", name: "bash", input: { n: 1 } },
      { type: "tool_use", id: "b", name: "bash", input: { n: 2 } },
    ];
    const interleaved = [call("a", '{"n"'), call("b", '{"n"'), call("b", ":2}"), call("a", ":1}"), completed(...calls)];
    const written = anthropicMessages.streamEncoder().push(interleaved);
    expect(decode(written).at(-1)).toMatchObject({ response: { message: { content: calls } } });
  });

  test("streams the next tool call as soon as the arguments of the one before are whole", () => {
    const encoder = anthropicMessages.streamEncoder();
    encoder.push([call("a", '{"n":"}'), call("b", '{"n')]);
    expect(encoder.push([call("a", '"}')])).toMatch(/"index":0.*content_block_stop.*"index":1.*\{\\"n"/s);
    expect(encoder.push([call("b", '":2}')])).toContain('"partial_json":"\\":2}"');
    expect(encoder.push([text("Done.")])).toContain('"text":"Done."');
  });

  test("gives text that came during a tool call after it", () => {
    const events = [
      call("a", "{"),
      text("Late"),
      call("a", "}"),
      completed({ type: "tool_use", id: "a", name: "bash", input: {} }, { type: "text", text: "Late" }),
    ];
    expect(shape(...events).slice(1, -2)).toEqual([
      ...["start 0 tool_use", "input_json_delta 0", "input_json_delta 0", "stop 0"],
      ...["start 1 text", "text_delta 1", "stop 1"],
    ]);
  });

  test("seals thinking as soon as its seal comes, also where nothing of it is shown", () => {
    const seal = (signature: string): LlmEvent => ({ type: "thinking_signature", signature, dialect: "anthropic" });
    const content: AssistantContent[] = [
      { type: "thinking", text: "Hm", signature: "EqQ", dialect: "anthropic" },
      { type: "thinking", text: "", signature: "Emw", dialect: "anthropic" },
      { type: "text", text: "Yes" },
    ];
    expect(shape(thinking("Hm"), seal("EqQ"), seal("Emw"), text("Yes"), completed(...content)).slice(1, -2)).toEqual([
      ...["start 0 thinking", "thinking_delta 0", "signature_delta 0", "stop 0"],
      ...["start 1 thinking", "signature_delta 1", "stop 1"],
      ...["start 2 text", "text_delta 2", "stop 2"],
    ]);
  });

  test("wraps the seal of another provider, which the client hands back like one of its own", () => {
    const seal: LlmEvent = { type: "thinking_signature", signature: "gAAA", dialect: "responses" };
    const block: AssistantContent = { type: "thinking", text: "Hm", signature: "gAAA", dialect: "responses" };
    const [, , , { delta }] = wire(thinking("Hm"), seal, completed(block));
    expect(delta.signature).not.toContain("gAAA");
    const content = [{ type: "thinking", thinking: "Hm", signature: delta.signature }];
    const messages = [
      { role: "user", content: "?" },
      { role: "assistant", content },
    ];
    const body = JSON.stringify({ model: "m", max_tokens: 9, messages });
    expect(anthropicMessages.decodeRequest(body)).toMatchObject({
      request: { messages: [{}, { content: [block] }] },
    });
    expect(
      anthropicMessages.encodeResponse({ ...COMPLETED, message: { role: "assistant", content: [block] } }),
    ).toEqual(expect.objectContaining({ content }));
  });

  test("has what ran at the provider, where the client knows it, and nothing of another dialect", () => {
    const data = { type: "server_tool_use", id: "s", name: "web_search", input: {} };
    const content: AssistantContent[] = [
      { type: "opaque", dialect: "anthropic", data },
      { type: "opaque", dialect: "gemini", data: { toolCall: {} } },
    ];
    expect(wire(completed(...content)).slice(1, -2)).toEqual([
      { type: "content_block_start", index: 0, content_block: data },
      { type: "content_block_stop", index: 0 },
    ]);
    expect(anthropicMessages.encodeResponse({ ...COMPLETED, message: { role: "assistant", content } })).toMatchObject({
      content: [data],
    });
  });

  test("signs thinking that is still open at the end", () => {
    const events = [
      thinking("Hm"),
      completed({ type: "thinking", text: "Hm", signature: "EqQ" }, { type: "text", text: "Yes" }),
    ];
    expect(shape(...events).slice(1, 5)).toEqual([
      "start 0 thinking",
      "thinking_delta 0",
      "signature_delta 0",
      "stop 0",
    ]);
  });

  test("that fails ends with the provider's error event", () => {
    const error = { code: "rate_limited", message: "Slow down.", retryable: true } as const;
    expect(wire(text("a"), { type: "error", error }, text("b")).slice(-1)).toEqual([
      { type: "error", error: { type: "rate_limit_error", message: "Slow down." } },
    ]);
  });

  test("has the same id for the same answer, and another for another", () => {
    const idOf = (event: LlmEvent) => /"id":"(msg_\w+)"/.exec(anthropicMessages.streamEncoder().push([event]))?.[1];
    expect(idOf(text("a"))).toBe(idOf(text("a")));
    expect(idOf(text("a"))).not.toBe(idOf(text("b")));
  });
});

describe("what is encoded", () => {
  test("decodes to the same answer if it comes in one piece", () => {
    fc.assert(
      fc.property(response, (whole) => {
        fc.pre(brokenCallIn(whole) === undefined);
        const written = anthropicMessages.streamEncoder().push([{ type: "completed", response: whole }]);
        expect(decode(written).at(-1)).toEqual({ type: "completed", response: whole });
        const body = JSON.stringify(anthropicMessages.encodeResponse(whole));
        expect(anthropicMessages.decodeResponse(body)).toEqual({ ok: true, response: withoutBrokenCalls(whole) });
      }),
    );
  });

  test("says the same if it is streamed, and opens every block once", () => {
    const order = fc.infiniteStream(fc.nat(9));
    fc.assert(
      fc.property(stream, order, fc.boolean(), (events, picks, interleave) => {
        const last = events.at(-1);
        fc.pre(last?.type !== "completed" || brokenCallIn(last.response) === undefined);
        // A closed block cannot be opened again: what a model says behind its arguments is lost with another block between.
        fc.pre(!interleave || last?.type !== "completed" || !last.response.message.content.some(goesOnBehindItsEnd));
        const all = interleave ? interleaveCalls(events, picks) : events;
        const decoded = decode(anthropicMessages.streamEncoder().push(all)).at(-1);
        const whole = events.at(-1);
        if (decoded?.type !== "completed" || whole?.type !== "completed") throw new Error("did not complete");
        expect(said(decoded.response)).toEqual(said(whole.response));
        if (!interleave) expect(sealsOf(decoded.response)).toEqual(sealsOf(whole.response));
        expect({ ...decoded.response, message: null, model: "" }).toEqual({
          ...whole.response,
          message: null,
          model: "",
        });
        checkOrder(shape(...all));
      }),
      { numRuns: 300 },
    );
  });

  test("ends with the error if there is one", () => {
    fc.assert(
      fc.property(stream, failure, (events, error) => {
        const written = anthropicMessages.streamEncoder().push([...events.slice(0, -1), { type: "error", error }]);
        expect(decode(written).at(-1)).toMatchObject({ type: "error" });
      }),
    );
  });
});

/** What reaches the reader: all text, all thinking, and the calls. Order and ends of blocks may differ. */
function said({ message }: LlmResponse) {
  const { content } = message;
  return {
    text: content.map((block) => (block.type === "text" ? block.text : "")).join(""),
    thinking: content.map((block) => (block.type === "thinking" ? block.text : "")).join(""),
    redacted: content.flatMap((block) => (block.type === "thinking" ? (block.redactedData ?? []) : [])),
    calls: content.filter((block) => block.type === "tool_use").toSorted((a, b) => a.id.localeCompare(b.id)),
  };
}

function sealsOf({ message }: LlmResponse): string[] {
  return message.content.flatMap((block) => (block.type === "thinking" ? (block.signature ?? []) : []));
}

/** In an answer of one piece the input of a call is always an object; a call that was cut with its answer is not in it. */
function withoutBrokenCalls(whole: LlmResponse): LlmResponse {
  const content = whole.message.content.filter((block) => !isBrokenCall(block));
  return { ...whole, message: { role: "assistant", content } };
}

/** Moves fragments of later calls forward, between those of earlier ones. */
function interleaveCalls(events: readonly LlmEvent[], picks: Iterable<number>): LlmEvent[] {
  const lanes = Map.groupBy(events, (event) =>
    event.type === "tool_call_delta" ? event.callId : event.type.slice(0, 8),
  );
  const waiting = [...lanes.entries()].filter(([lane]) => lane !== "complete").map(([, lane]) => [...lane]);
  const mixed: LlmEvent[] = [];
  for (const pick of picks) {
    const open = waiting.filter((lane) => lane.length > 0);
    if (open.length === 0) break;
    const next = open[pick % open.length]?.shift();
    if (next !== undefined) mixed.push(next);
  }
  return [...mixed, ...(lanes.get("complete") ?? [])];
}

/** One block after the other, numbered from 0, each opened, filled and closed. */
function checkOrder(events: readonly string[]): void {
  let next = 0;
  let open: number | undefined;
  for (const event of events.slice(1, -2)) {
    const index = Number(event.split(" ")[1]);
    if (event.startsWith("start")) {
      expect([open, index]).toEqual([undefined, next]);
      open = next++;
    } else {
      expect(index).toBe(open);
      if (event.startsWith("stop")) open = undefined;
    }
  }
  expect(open).toBeUndefined();
  expect([events[0], ...events.slice(-2)]).toEqual(["message_start", "message_delta", "message_stop"]);
}
