import {
  type AssistantContent,
  excessClause,
  JSON_BOUNDS,
  type JsonObject,
  type JsonValue,
  jsonExcess,
  type LlmRequest,
  type Message,
  type UserContent,
} from "@loom/core";
import type { DecodedRequest } from "./codec.ts";
import { type DroppedField, droppedFields } from "./dropped-fields.ts";
import { asNumber, asObject, parseJsonObject } from "./json-reader.ts";
import { RequestProblem, refuse } from "./request-problem.ts";

/** An object inside a body, whose members are `leftOut`, too, where nobody looks at them; `name` is the way to it. */
export type Watch = (inner: JsonObject, name: string) => JsonObject;

/**
 * Reads a body with `read`, which may use the readers below: the first thing they refuse becomes the `problem`. Members
 * that it does not look at are `leftOut`; `watched` says so of an object inside, too, and `dropped` of the fields that
 * the dialect knows and Loom does not.
 */
export function readRequest(
  body: string,
  read: (json: JsonObject, watched: Watch) => Omit<Extract<DecodedRequest, { readonly ok: true }>, "ok" | "leftOut">,
  dropped: readonly DroppedField[] = [],
): DecodedRequest {
  const json = parseJsonObject(body);
  if (json === undefined) return { ok: false, problem: whyNoObject(body) };
  const unread: (() => string[])[] = [];
  const watched = (object: JsonObject, prefix: string): JsonObject => {
    const seen = new Set<string | symbol>();
    unread.push(() =>
      Object.keys(object).flatMap((key) => (seen.has(key) || object[key] === null ? [] : [`${prefix}${key}`])),
    );
    return new Proxy(object, {
      get(target, key, receiver) {
        seen.add(key);
        return Reflect.get(target, key, receiver);
      },
    });
  };
  try {
    const decoded = read(watched(json, ""), (inner, name) => watched(inner, `${name}.`));
    const leftOut = [...new Set([...unread.flatMap((names) => names()), ...droppedFields(json, dropped)])];
    return { ok: true, ...decoded, ...(leftOut.length === 0 ? {} : { leftOut }) };
  } catch (error) {
    if (error instanceof RequestProblem) return { ok: false, problem: error.message };
    throw error;
  }
}

function whyNoObject(body: string): string {
  const excess = jsonExcess(body, JSON_BOUNDS);
  return excess === undefined ? "The body is not a JSON object." : `The body ${excessClause(excess, JSON_BOUNDS)}.`;
}

export function readObject(value: JsonValue | undefined, path: string): JsonObject {
  return asObject(value) ?? refuse(path, "must be an object");
}

export function readArray(value: JsonValue | undefined, path: string): readonly JsonValue[] {
  if (!isArray(value)) refuse(path, "must be an array");
  return value;
}

export function readString(value: JsonValue | undefined, path: string): string {
  return typeof value === "string" ? value : refuse(path, "must be a string");
}

/** A string with something in it, as ids and names are. */
export function readName(value: JsonValue | undefined, path: string): string {
  const name = readString(value, path);
  return name === "" ? refuse(path, "must not be empty") : name;
}

/** A whole number of at least 1. */
export function readPositive(value: JsonValue | undefined, path: string): number {
  const number = asNumber(value);
  return number !== undefined && Number.isSafeInteger(number) && number > 0
    ? number
    : refuse(path, "must be a whole number of at least 1");
}

/** A number from `min` to `max`, where there is one. */
export function readNumber(
  value: JsonValue | undefined,
  path: string,
  { min = 0, max = Number.POSITIVE_INFINITY }: { readonly min?: number; readonly max?: number } = {},
): number | undefined {
  if (value === undefined || value === null) return undefined;
  const number = asNumber(value);
  if (number !== undefined && number >= min && number <= max) return number;
  const bounds = max === Number.POSITIVE_INFINITY ? `of at least ${min}` : `from ${min} to ${max}`;
  return refuse(path, `must be a number ${bounds}`);
}

/** A number of at least 0, where there is one. */
export function readTemperature(value: JsonValue | undefined, path: string): { readonly temperature?: number } {
  const temperature = readNumber(value, path);
  return temperature === undefined ? {} : { temperature };
}

/** Numbers that say how to choose among words, under the names that Loom has for them; those that are not given are not there. */
export function readSampling(json: JsonObject): Pick<LlmRequest, "temperature" | "topP" | "topK" | "seed"> {
  const topP = readNumber(json.top_p, "top_p", { max: 1 });
  const topK = readWhole(json.top_k, "top_k");
  const seed = readWhole(json.seed, "seed", Number.MIN_SAFE_INTEGER);
  return {
    ...readTemperature(json.temperature, "temperature"),
    ...(topP === undefined ? {} : { topP }),
    // Some servers take 0 or -1 as "all of them", which is what saying nothing means.
    ...(topK === undefined || topK < 1 ? {} : { topK }),
    ...(seed === undefined ? {} : { seed }),
  };
}

function readWhole(value: JsonValue | undefined, path: string, min = -1): number | undefined {
  const number = readNumber(value, path, { min });
  return number === undefined || Number.isSafeInteger(number) ? number : refuse(path, "must be a whole number");
}

/** `true` or `false`, where there is one. */
export function readBoolean(value: JsonValue | undefined, path: string): boolean | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === "boolean" ? value : refuse(path, "must be true or false");
}

/** Makes one message of neighbours of the same role, and leaves out empty ones. */
export function mergeNeighbours(messages: Iterable<Message>): Message[] {
  const merged: ({ role: "user"; content: UserContent[] } | { role: "assistant"; content: AssistantContent[] })[] = [];
  for (const message of messages) {
    if (message.content.length === 0) continue;
    const last = merged.at(-1);
    if (message.role === "user") {
      if (last?.role === "user") for (const block of message.content) last.content.push(block);
      else merged.push({ role: "user", content: [...message.content] });
    } else if (last?.role === "assistant") for (const block of message.content) last.content.push(block);
    else merged.push({ role: "assistant", content: [...message.content] });
  }
  return merged;
}

function isArray(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}
