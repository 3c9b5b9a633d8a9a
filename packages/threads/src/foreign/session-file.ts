import type { AssistantContent, JsonObject, Usage, UserInput } from "@loom/core";

/** What another agent's session file tells, in order. */
export type ForeignSession = {
  readonly workspace: string;
  readonly title?: string | undefined;
  readonly git?: { readonly branch?: string; readonly remote?: string; readonly commit?: string } | undefined;
  readonly entries: readonly ForeignEntry[];
};

/** `at`: RFC 3339, UTC. */
export type ForeignEntry = { readonly at: string } & (
  | { readonly type: "user"; readonly content: UserInput }
  | {
      readonly type: "assistant";
      readonly content: readonly AssistantContent[];
      readonly model: string;
      readonly usage?: Usage | undefined;
    }
  | { readonly type: "tool_result"; readonly callId: string; readonly text: string; readonly isError: boolean }
);

/** A file is not what it should be. The message is a whole sentence. */
export class SessionFileError extends Error {
  override readonly name = "SessionFileError";
  /** From 1. */
  readonly line: number;

  constructor(line: number, what: string) {
    super(`Line ${line} of the file ${what}.`);
    this.line = line;
  }
}

export type Fields = { readonly [name: string]: unknown };

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The objects of a file of JSON lines, with their lines. @throws SessionFileError */
export function* objectsIn(text: string): Generator<{ readonly line: number; readonly value: Fields }, void> {
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw new SessionFileError(index + 1, "is not JSON");
    }
    if (!isFields(value)) throw new SessionFileError(index + 1, "is no JSON object");
    yield { line: index + 1, value };
  }
}

/** The JSON document that a file is. @throws SessionFileError */
export function documentIn(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SessionFileError(lineOf(error, text), "is not JSON");
  }
  if (!isFields(value)) throw new SessionFileError(1, "begins no JSON object");
  return value;
}

/** V8 says where it stopped: `… at position 12`, or that the end came too early. */
function lineOf(error: unknown, text: string): number {
  const position = /at position (\d+)/.exec(String(error))?.[1];
  return text.slice(0, position === undefined ? text.length : Number(position)).split("\n").length;
}

/** The texts of blocks of content, others left out. */
export function textsIn(parts: unknown): string[] {
  if (!Array.isArray(parts)) return [];
  return parts.flatMap((part) => (isFields(part) ? (stringOf(part.text) ?? []) : []));
}

/** A call of a tool. @throws SessionFileError */
export function toolCall(
  line: number,
  call: { readonly id: unknown; readonly name: unknown; readonly input: JsonObject },
): AssistantContent {
  const [id, name] = [stringOf(call.id), stringOf(call.name)];
  if (id === undefined || name === undefined) throw new SessionFileError(line, "has a tool call without a name");
  return { type: "tool_use", id, name, input: call.input };
}

/** Which call a result belongs to. @throws SessionFileError */
export function calledBy(line: number, id: unknown): string {
  const callId = stringOf(id);
  if (callId === undefined) throw new SessionFileError(line, "has a result of no tool call");
  return callId;
}

/** What a message says. @throws SessionFileError */
export function contentOf(line: number, what: "a message" | "an answer", content: unknown): readonly unknown[] {
  if (!Array.isArray(content)) throw new SessionFileError(line, `has ${what} without content`);
  return content;
}

/** RFC 3339 in UTC; the time before it where it is none. */
export function timeOf(value: unknown, before: string): string {
  const time = typeof value === "string" || typeof value === "number" ? new Date(value) : undefined;
  return time === undefined || Number.isNaN(time.getTime()) ? before : time.toISOString();
}

export function stringOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value.toWellFormed() : undefined;
}

export function countOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? Math.round(value) : 0;
}
