import { isUtf8 } from "node:buffer";
import { parseLlmRequest } from "@loom/api";
import type { LlmRequest } from "@loom/core";
import type { LlmCodec } from "@loom/llm";
import { ProblemError, wrongFields } from "../../kit/problem-reply.ts";
import { type JsonKey, type JsonMembers, memberValue, scanJsonObject } from "./json-members.ts";
import type { Target, WireDialect } from "./target.ts";

/** What a client asks of a model, as far as Loom has to know it before anybody decodes it. */
export type Question = {
  /** As the client names it: a provider's model, an alias, or `upstream/model`; empty where it names none. */
  readonly model: string;
  readonly stream: boolean;
  /** Most tokens of all answers together; absent: the client gives no bound. */
  readonly maxOutputTokens: number | undefined;
  readonly promptBytes: number;
  /** What should stay on one credential, because the client says that its cache does. */
  readonly cacheKey: string | undefined;
  /** The client's bytes; absent for Loom's own dialect, which no provider speaks. */
  readonly top: JsonMembers | undefined;
  /** @throws ProblemError where the body cannot be understood, or not in Loom's words. */
  decode(codecOf: (dialect: WireDialect) => LlmCodec): DecodedQuestion;
};

export type DecodedQuestion = {
  readonly request: LlmRequest;
  readonly wantsUsage: boolean;
  /** Fields of the client's that no other dialect hears of. */
  readonly leftOut: readonly string[];
};

const MAX_MODEL = 200;

/** @throws ProblemError */
export function readQuestion(target: Target, body: Buffer): Question {
  return target.dialect === "loom" ? readLoomQuestion(target, body) : readWireQuestion(target, body, target.dialect);
}

function readLoomQuestion(target: Target, body: Buffer): Question {
  const parsed = parseLlmRequest(parseJson(body));
  if (!parsed.ok) throw wrongFields(parsed.errors);
  const request = parsed.value;
  return {
    model: request.model,
    stream: target.stream === true,
    maxOutputTokens: request.maxTokens,
    promptBytes: body.length,
    cacheKey: request.cacheKey,
    top: undefined,
    decode: () => ({ request, wantsUsage: true, leftOut: [] }),
  };
}

function readWireQuestion(target: Target, body: Buffer, dialect: WireDialect): Question {
  const scanned = scanJsonObject(body);
  if (!scanned.ok) throw new ProblemError("invalid_input", scanned.problem);
  const { top } = scanned;
  const model = target.model ?? textMember(top, "model");
  if (model === undefined || model === "") throw new ProblemError("invalid_input", "The field model is missing.");
  if (!isModelName(model)) throw new ProblemError("invalid_input", "The field model is not the name of a model.");
  const stream = target.stream ?? memberValue(top, "stream") === true;
  return {
    model,
    stream,
    maxOutputTokens: maxOutputTokens(top, dialect),
    promptBytes: body.length,
    cacheKey: textMember(top, "prompt_cache_key"),
    top,
    decode(codecOf) {
      if (!isUtf8(body)) throw new ProblemError("invalid_input", "The body is not UTF-8.");
      const decoded = codecOf(dialect).decodeRequest(body.toString("utf8"));
      if (!decoded.ok) throw new ProblemError("invalid_input", decoded.problem);
      const { request, wantsUsage = true, leftOut = [] } = decoded;
      return { request, wantsUsage, leftOut };
    },
  };
}

/** Of the printable characters of ASCII, none that means something in a header or between the parts of a path. */
function isModelName(model: string): boolean {
  return model.length <= MAX_MODEL && /^[\w.:@/+~-]+$/.test(model) && !/(?:^|\/)\.{1,2}(?:\/|$)/.test(model);
}

function maxOutputTokens(top: JsonMembers, dialect: WireDialect): number | undefined {
  switch (dialect) {
    case "anthropic":
      return count(memberValue(top, "max_tokens"));
    case "chat": {
      const each = count(memberValue(top, "max_completion_tokens")) ?? count(memberValue(top, "max_tokens"));
      return each === undefined ? undefined : each * (count(memberValue(top, "n")) ?? 1);
    }
    case "responses":
      return count(memberValue(top, "max_output_tokens"));
    case "gemini": {
      const config = memberValue(top, "generationConfig") ?? memberValue(top, "generation_config");
      if (typeof config !== "object" || config === null) return undefined;
      const { maxOutputTokens, candidateCount } = config as { maxOutputTokens?: unknown; candidateCount?: unknown };
      const each = count(maxOutputTokens);
      return each === undefined ? undefined : each * (count(candidateCount) ?? 1);
    }
  }
}

function count(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

function textMember(top: JsonMembers, key: JsonKey): string | undefined {
  const value = memberValue(top, key);
  return typeof value === "string" ? value : undefined;
}

function parseJson(body: Buffer): unknown {
  if (!isUtf8(body)) throw notJson("is not UTF-8");
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    // The engine's own message quotes the body.
    throw notJson("is not valid JSON");
  }
}

function notJson(message: string): ProblemError {
  return new ProblemError("invalid_input", `The body ${message}.`, { errors: [{ field: "", message }] });
}
