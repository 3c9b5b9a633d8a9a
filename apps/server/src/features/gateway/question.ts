import { isUtf8 } from "node:buffer";
import { parseLlmRequest } from "@loom/api";
import { excessClause, JSON_BOUNDS, type JsonBounds, jsonExcess, type LlmRequest } from "@loom/core";
import type { AnswerIdentity, LlmCodec } from "@loom/llm";
import { ProblemError, wrongFields } from "../../kit/problem-reply.ts";
import type { JsonKey } from "./json/keys.ts";
import { type JsonMembers, memberValue, scanJsonObject } from "./json/members.ts";
import { asObject } from "./json/value.ts";
import { isModelName, MODEL_NAMES } from "./model-name.ts";
import { LEAST_PICTURE, mayHoldPicture, noPictures, type Picture } from "./pictures/picture-data.ts";
import { picturesIn, picturesOf } from "./pictures/pictures.ts";
import type { Target, WireDialect } from "./target.ts";

/** What a client asks of a model, as far as Loom has to know it before anybody decodes it. */
export type Question = {
  /** As the client names it: a provider's model, an alias, or `upstream/model`; empty where it names none. */
  readonly model: string;
  readonly stream: boolean;
  /** Most tokens of each answer; absent: the client gives no bound. */
  readonly maxOutputTokens: number | undefined;
  /** So many are asked for at once. */
  readonly answers: number;
  /** What comes of it costs what nobody can say before it is done. */
  readonly isUnbounded?: boolean;
  /** The provider adds to the prompt what it has kept of an earlier one. */
  readonly refersBack: boolean;
  readonly promptBytes: number;
  /** Those in the prompt that count as pictures; looked for when first asked. */
  pictures(): readonly Picture[];
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
  /** Tools that only the client's dialect knows. */
  readonly clientTools?: AnswerIdentity["clientTools"];
};

/** Where a client gives no bound, an answer is taken to be this long, in tokens, until it is there. */
export const DEFAULT_OUTPUT_TOKENS = 32_000;

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
    answers: 1,
    refersBack: false,
    promptBytes: body.length,
    pictures: foundOnce(body, () => (mayHoldPicture(body) ? picturesOf(request) : noPictures())),
    cacheKey: request.cacheKey,
    top: undefined,
    decode: () => ({ request, wantsUsage: true, leftOut: [] }),
  };
}

function readWireQuestion(target: Target, body: Buffer, dialect: WireDialect): Question {
  const top = membersOf(body);
  const model = checkedModel(target.model ?? textMember(top, "model") ?? "");
  if (model === "") throw new ProblemError("invalid_input", "The field model is missing.");
  if (dialect === "responses" && memberValue(top, "background") === true) {
    const problem =
      "The field background is not supported, since nobody would be charged: wait for the answer, or stream it.";
    throw new ProblemError("invalid_request", problem);
  }
  const stream = target.stream ?? memberValue(top, "stream") === true;
  return {
    model,
    stream,
    ...outputOf(top, dialect),
    refersBack: refersBack(top, dialect),
    promptBytes: body.length,
    pictures: foundOnce(body, () => picturesIn(body, top.open, dialect)),
    cacheKey: textMember(top, "prompt_cache_key"),
    top,
    decode(codecOf) {
      if (!isUtf8(body)) throw new ProblemError("invalid_input", "The body is not UTF-8.");
      const decoded = codecOf(dialect).decodeRequest(body.toString("utf8"));
      if (!decoded.ok) throw new ProblemError("invalid_input", decoded.problem);
      const { request, wantsUsage = true, leftOut = [], clientTools } = decoded;
      return { request, wantsUsage, leftOut, ...(clientTools === undefined ? {} : { clientTools }) };
    },
  };
}

/** Most bodies are too small to hold one that counts. */
function foundOnce(body: Buffer, find: () => readonly Picture[]): () => readonly Picture[] {
  if (body.length < LEAST_PICTURE) return noPictures;
  let found: readonly Picture[] | undefined;
  return () => {
    found ??= find();
    return found;
  };
}

/** @throws ProblemError for what is no JSON object, or one that servers read differently */
export function membersOf(body: Buffer): JsonMembers {
  const scanned = scanJsonObject(body);
  if (!scanned.ok) throw new ProblemError("invalid_input", scanned.problem);
  const { top } = scanned;
  if (top.inOtherCase === undefined) return top;
  const problem = `The body has the field ${top.inOtherCase} in another case, which some servers take for the same and some do not: write it as ${top.inOtherCase}.`;
  throw new ProblemError("invalid_input", problem);
}

/** @throws ProblemError for what is neither empty nor can be a name */
export function checkedModel(model: string): string {
  if (model === "" || isModelName(model)) return model;
  throw new ProblemError("invalid_input", `The field model is not the name of a model. ${MODEL_NAMES}`);
}

function outputOf(top: JsonMembers, dialect: WireDialect): Pick<Question, "maxOutputTokens" | "answers"> {
  switch (dialect) {
    case "anthropic":
      return { maxOutputTokens: count(memberValue(top, "max_tokens")), answers: 1 };
    case "chat":
      return {
        maxOutputTokens: largest([memberValue(top, "max_completion_tokens"), memberValue(top, "max_tokens")]),
        answers: count(memberValue(top, "n")) ?? 1,
      };
    case "responses":
      return { maxOutputTokens: count(memberValue(top, "max_output_tokens")), answers: 1 };
    case "gemini": {
      // JSON of protocol buffers takes each name in either spelling, and Google takes both in one body.
      const configs = [
        asObject(readableMember(top, "generationConfig")),
        asObject(readableMember(top, "generation_config")),
      ];
      return {
        maxOutputTokens: largest(configs.flatMap((config) => [config?.maxOutputTokens, config?.max_output_tokens])),
        answers: largest(configs.flatMap((config) => [config?.candidateCount, config?.candidate_count])) ?? 1,
      };
    }
  }
}

/** Servers differ in which of several they heed. */
function largest(bounds: readonly unknown[]): number | undefined {
  const known = bounds.map(count).filter((bound) => bound !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

function refersBack(top: JsonMembers, dialect: WireDialect): boolean {
  switch (dialect) {
    case "anthropic":
    case "chat":
      return false;
    case "responses":
      return isGiven(top, "previous_response_id") || isGiven(top, "conversation") || isGiven(top, "prompt");
    case "gemini":
      return isGiven(top, "cachedContent") || isGiven(top, "cached_content");
  }
}

/** And is not `null`. */
export function isGiven({ bytes, members }: JsonMembers, key: JsonKey): boolean {
  const member = members.get(key);
  return member !== undefined && bytes[member.start] !== 0x6e;
}

/** A whole number above zero. Google and lenient servers take it as a text as well, and round it. */
export function count(value: unknown): number | undefined {
  const number = typeof value === "string" ? Number(value) : value;
  if (typeof number !== "number" || !(number > 0)) return undefined;
  const whole = Math.ceil(number);
  return Number.isSafeInteger(whole) ? whole : undefined;
}

/**
 * The value of a member that limits depend on, however large it is.
 * @throws ProblemError where it is JSON of which nobody can look at all
 */
export function readableMember(top: JsonMembers, key: JsonKey): unknown {
  const value = memberValue(top, key);
  const member = value === undefined ? top.members.get(key) : undefined;
  if (member === undefined) return value;
  const excess = jsonExcess(top.bytes.toString("utf8", member.start, member.end), JSON_BOUNDS);
  if (excess === undefined) return undefined;
  throw new ProblemError("invalid_input", `The field ${key} ${excessClause(excess, JSON_BOUNDS)}.`);
}

export function textMember(top: JsonMembers, key: JsonKey): string | undefined {
  const value = memberValue(top, key);
  return typeof value === "string" ? value : undefined;
}

/** A tool's input may be as deep as JSON may be, and lies a few levels deep in the request. */
const LOOM_BOUNDS: JsonBounds = { ...JSON_BOUNDS, depth: JSON_BOUNDS.depth + 16 };

function parseJson(body: Buffer): unknown {
  if (!isUtf8(body)) throw notJson("is not UTF-8");
  const text = body.toString("utf8");
  const excess = jsonExcess(text, LOOM_BOUNDS);
  if (excess !== undefined) throw notJson(excessClause(excess, LOOM_BOUNDS));
  try {
    return JSON.parse(text);
  } catch {
    // The engine's own message quotes the body.
    throw notJson("is not valid JSON");
  }
}

function notJson(message: string): ProblemError {
  return new ProblemError("invalid_input", `The body ${message}.`, { errors: [{ field: "", message }] });
}
