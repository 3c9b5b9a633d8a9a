import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { LlmEvent } from "@loom/core";
import { anthropicMessages, type LlmStreamDecoder, type LlmStreamEncoder, loomEvents, openAiChat } from "@loom/llm";
import { say, startScriptedModel } from "@loom/testkit";
import { machine, table } from "./markdown.ts";
import { DELTA } from "./model.ts";
import { peerFile } from "./peer-package.ts";
import { interleave, median } from "./statistics.ts";

const DELTAS = 10_000;
const ROUNDS = 21;
/** What a socket gives at once under load, and what it gives when the model is slow: about an event. */
const CHUNK_SIZES = [16_384, 150];

type EventSource = { readonly feed: (text: string) => void };
type EventSourceParser = { readonly createParser: (on: { onEvent(event: { data: string }): void }) => EventSource };

/** One way through a whole stream; gives the number of events, or of characters, so that no work can be optimised away. */
type Pass = () => number;

/** Prints what one event costs in each codec; decoders next to a parser from npm that also parses the JSON of each event. */
export async function benchCodecs(): Promise<void> {
  const anthropic = await streamOf("/v1/messages", { "x-api-key": "none" });
  const chat = await streamOf("/v1/chat/completions", { authorization: "Bearer none" });
  const events = anthropicMessages.streamDecoder().push(anthropic);
  const loom = Buffer.from(loomEvents.encode(events));
  console.log(
    `${DELTAS} deltas of ${DELTA.length} bytes on ${machine()}. Microseconds per delta, median of ${ROUNDS}.\n`,
  );
  const yardstick = await eventSourceParser();
  const decoded: string[][] = [];
  for (const size of CHUNK_SIZES) {
    decoded.push(
      await decoding("Anthropic Messages", anthropicMessages.streamDecoder, slices(anthropic, size), yardstick),
    );
    decoded.push(await decoding("OpenAI Chat", openAiChat.streamDecoder, slices(chat, size), yardstick));
    decoded.push(await decoding("Loom's own stream", loomEvents.decoder, slices(loom, size), yardstick));
  }
  console.log(table([["bytes to events", "bytes at once", "eventsource-parser", "Loom", "ratio"], ...decoded]));
  const encoders: readonly (readonly [string, () => (batch: readonly LlmEvent[]) => string])[] = [
    ["Loom's own stream", () => loomEvents.encode],
    ["Anthropic Messages", () => pushOf(anthropicMessages.streamEncoder())],
    ["OpenAI Chat", () => pushOf(openAiChat.streamEncoder())],
  ];
  const encoded: string[][] = [];
  for (const [name, encoder] of encoders) encoded.push([name, await encoding(encoder, events)]);
  console.log(`\n${table([["events to bytes, one at a time", "Loom"], ...encoded])}`);
}

async function decoding(
  name: string,
  decoder: () => LlmStreamDecoder,
  chunks: readonly Uint8Array[],
  yardstick: EventSourceParser | undefined,
): Promise<string[]> {
  const passes: Pass[] = [() => decodeAll(decoder(), chunks)];
  if (yardstick !== undefined) passes.push(() => parseAll(yardstick, chunks));
  const [own = Number.NaN, other = Number.NaN] = await race(passes);
  return [name, String(chunks[0]?.length), other.toFixed(2), own.toFixed(2), (own / other).toFixed(2)];
}

async function encoding(
  encoder: () => (batch: readonly LlmEvent[]) => string,
  events: readonly LlmEvent[],
): Promise<string> {
  const batches = events.map((event) => [event]);
  const pass = () => {
    const encode = encoder();
    return batches.reduce((length, batch) => length + encode(batch).length, 0);
  };
  const [own = Number.NaN] = await race([pass]);
  return own.toFixed(2);
}

function pushOf(encoder: LlmStreamEncoder): (batch: readonly LlmEvent[]) => string {
  return (batch) => encoder.push(batch);
}

/** Microseconds per delta of each pass. The first rounds run while V8 still compiles; the median leaves them out. */
async function race(passes: readonly Pass[]): Promise<readonly number[]> {
  const samples = new Map<Pass, number[]>(passes.map((pass) => [pass, []]));
  await interleave(passes, ROUNDS, async (pass) => {
    const start = performance.now();
    if (pass() < DELTAS) throw new Error("A codec lost events.");
    samples.get(pass)?.push(((performance.now() - start) * 1000) / DELTAS);
  });
  return passes.map((pass) => median(samples.get(pass) ?? []));
}

function decodeAll(decoder: LlmStreamDecoder, chunks: readonly Uint8Array[]): number {
  let count = 0;
  for (const chunk of chunks) count += decoder.push(chunk).length;
  return count + decoder.end().length;
}

function parseAll({ createParser }: EventSourceParser, chunks: readonly Uint8Array[]): number {
  let count = 0;
  const parser = createParser({
    onEvent({ data }) {
      if (data === "[DONE]" || typeof JSON.parse(data) === "object") count += 1;
    },
  });
  const text = new TextDecoder();
  for (const chunk of chunks) parser.feed(text.decode(chunk, { stream: true }));
  return count;
}

async function eventSourceParser(): Promise<EventSourceParser | undefined> {
  const file = peerFile("eventsource-parser", "dist", "index.js");
  return existsSync(file) ? ((await import(pathToFileURL(file).href)) as EventSourceParser) : undefined;
}

/** The bytes a provider would send, from the scripted model. */
async function streamOf(path: string, headers: Readonly<Record<string, string>>): Promise<Uint8Array> {
  await using model = await startScriptedModel({
    script: () => say(DELTA.repeat(DELTAS), { delivery: { deltas: DELTAS } }),
  });
  const response = await fetch(`${model.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", "anthropic-version": "2023-06-01", ...headers },
    body: JSON.stringify({ model: "m", max_tokens: 100, stream: true, messages: [{ role: "user", content: "Hi" }] }),
  });
  if (!response.ok) throw new Error(`The scripted model answered ${response.status}: ${await response.text()}`);
  return new Uint8Array(await response.arrayBuffer());
}

function slices(bytes: Uint8Array, size: number): readonly Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}
