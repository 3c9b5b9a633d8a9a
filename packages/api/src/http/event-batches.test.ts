import type { RequestListener } from "node:http";
import { type LlmEvent, NO_USAGE } from "@loom/core";
import { type LlmStreamDecoder, loomEvents } from "@loom/llm";
import { afterEach, expect, test, vi } from "vitest";
import { collect, serve } from "../testing.ts";
import { EventBatches, type StreamDeadlines } from "./event-batches.ts";
import { createConnections, exchange } from "./exchange.ts";

afterEach(() => void vi.useRealTimers());

const COMPLETED: LlmEvent = {
  type: "completed",
  response: { message: { role: "assistant", content: [] }, stopReason: "end_turn", usage: NO_USAGE, model: "m" },
};

const MINUTE: StreamDeadlines = { firstEventMs: 60_000, gapMs: 60_000, silenceMs: 60_000 };
const connections = createConnections();

async function open(url: string, options: { decoder?: LlmStreamDecoder; signal?: AbortSignal } = {}) {
  const deadlines = { connectMs: 10_000, headersMs: 60_000 };
  const response = await exchange({ url: new URL(url), method: "GET", headers: {}, connections, deadlines });
  const { decoder = loomEvents.decoder(), signal } = options;
  const batches = new EventBatches(response, decoder, {
    deadlines: MINUTE,
    signal,
    sentence: (clause) => `The server ${clause}.`,
  });
  return { response, batches };
}

/** Sends many large events and says when it cannot get rid of more. */
function sending(texts: readonly string[]): { listener: RequestListener; stuck: Promise<void> } {
  let tellStuck: () => void;
  const stuck = new Promise<void>((resolve) => {
    tellStuck = resolve;
  });
  return {
    stuck,
    listener: (_, outgoing) => {
      let next = 0;
      let turns = 0;
      const send = (): void => {
        while (next < texts.length) {
          const text = texts[next] ?? "";
          next += 1;
          turns = 0;
          if (!outgoing.write(loomEvents.encode([{ type: "text_delta", text }]))) {
            outgoing.once("drain", send);
            watch();
            return;
          }
        }
        outgoing.end(loomEvents.encode([COMPLETED]));
      };
      const watch = (): void => {
        turns += 1;
        if (turns > 1_000) tellStuck();
        else if (outgoing.writableNeedDrain) setImmediate(watch);
      };
      send();
    },
  };
}

test("a reader that takes its time slows the sender down, and does not run out of the sender's time", async () => {
  const texts = Array.from({ length: 200 }, (_, index) => `${index}:${"x".repeat(200_000)}`);
  const { listener, stuck } = sending(texts);
  await using server = await serve(listener);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const { batches } = await open(server.url);
  await stuck;
  vi.advanceTimersByTime(24 * 3_600_000);
  const events = await collect(batches);
  expect(events.at(-1)).toEqual(COMPLETED);
  expect(events.map((event) => (event.type === "text_delta" ? event.text : "")).join("")).toBe(texts.join(""));
});

test("the time begins again when the reader has caught up", async () => {
  let begin = (): void => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  await using server = await serve((_, outgoing) => {
    outgoing.write(loomEvents.encode([{ type: "text_delta", text: "Well" }]), () => begin());
  });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const { batches } = await open(server.url);
  await begun;
  expect(await batches.next()).toMatchObject({ value: [{ type: "text_delta" }] });
  const last = batches.next();
  vi.advanceTimersByTime(60_000);
  expect(await last).toMatchObject({
    value: [{ type: "error", error: { code: "timeout", message: "The server sent nothing for 60 s." } }],
  });
  expect(await batches.next()).toEqual({ done: true, value: undefined });
});

test("a reader that leaves closes the connection", async () => {
  let gone: Promise<void> | undefined;
  await using server = await serve((incoming, outgoing) => {
    gone = new Promise((resolve) => incoming.socket.once("close", () => resolve()));
    outgoing.write(loomEvents.encode([{ type: "text_delta", text: "Well" }]));
  });
  const { batches } = await open(server.url);
  for await (const _ of batches) break;
  await gone;
  expect(await batches.next()).toEqual({ done: true, value: undefined });
});

test.each([
  ["to its end", collect],
  [
    "to its last event",
    async (batches: EventBatches) => {
      for await (const batch of batches) return batch;
      return [];
    },
  ],
])("a stream that was read %s leaves its connection to the next one", async (_, read) => {
  const ports = new Set<number | undefined>();
  await using server = await serve((incoming, outgoing) => {
    ports.add(incoming.socket.remotePort);
    outgoing.end(loomEvents.encode([COMPLETED]));
  });
  for (let round = 0; round < 3; round += 1) {
    const { batches, response } = await open(server.url);
    const closed = new Promise((resolve) => response.once("close", resolve));
    expect(await read(batches)).toEqual([COMPLETED]);
    await closed;
  }
  expect(ports.size).toBe(1);
});

test("what comes after the last event is not waited for", async () => {
  let gone: Promise<void> | undefined;
  await using server = await serve((incoming, outgoing) => {
    gone = new Promise((resolve) => incoming.socket.once("close", () => resolve()));
    outgoing.write(loomEvents.encode([COMPLETED, { type: "text_delta", text: "and another thing" }]));
  });
  const { batches } = await open(server.url);
  expect(await collect(batches)).toEqual([COMPLETED]);
  await gone;
});

test("a decoder that fails ends its own stream and nothing else", async () => {
  const decoder: LlmStreamDecoder = {
    push() {
      throw new TypeError("undefined is not a function");
    },
    end: () => [],
  };
  await using server = await serve((_, outgoing) => void outgoing.end("data: x\n\n"));
  const { batches } = await open(server.url, { decoder });
  expect(await collect(batches)).toMatchObject([{ type: "error", error: { code: "internal", retryable: false } }]);
});
