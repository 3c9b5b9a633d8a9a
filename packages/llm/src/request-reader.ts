import type { AssistantContent, JsonObject, JsonValue, LlmRequest, Message, UserContent } from "@loom/core";
import type { DecodedRequest } from "./codec.ts";
import { asObject, parseJsonObject } from "./json-reader.ts";
import { RequestProblem, refuse } from "./request-problem.ts";

/** Reads a body with `read`, which may use the readers below: the first thing they refuse becomes the `problem`. */
export function readRequest(
  body: string,
  read: (json: JsonObject) => { readonly request: LlmRequest; readonly stream: boolean },
): DecodedRequest {
  const json = parseJsonObject(body);
  if (json === undefined) return { ok: false, problem: "The body is not a JSON object." };
  try {
    return { ok: true, ...read(json) };
  } catch (error) {
    if (error instanceof RequestProblem) return { ok: false, problem: error.message };
    throw error;
  }
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
  const valid = typeof value === "number" && Number.isSafeInteger(value) && value > 0;
  return valid ? value : refuse(path, "must be a whole number of at least 1");
}

/** A number of at least 0, where there is one. */
export function readTemperature(value: JsonValue | undefined, path: string): { readonly temperature?: number } {
  if (value === undefined || value === null) return {};
  return typeof value === "number" && value >= 0
    ? { temperature: value }
    : refuse(path, "must be a number of at least 0");
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
