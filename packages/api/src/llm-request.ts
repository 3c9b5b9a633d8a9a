import type { LlmRequest } from "@loom/core";
import {
  boolean,
  type Check,
  fields,
  integer,
  isObject,
  list,
  literal,
  nonEmptyList,
  numberUpTo,
  object,
  oneOf,
  oneOfTexts,
  optional,
  positiveInteger,
  string,
  stringOfLength,
  wrong,
} from "./field-checks.ts";
import type { FieldError } from "./problem.ts";

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

export const LLM_REQUEST_BOUNDS = { modelLength: 200, temperature: 2 } as const;

/**
 * The schema of `LlmRequest` by hand, for the route that every turn takes: zod alone costs more to load than the rest
 * of the embedded server. A property test holds it against the schema. Unknown fields are refused like any other
 * mistake, so that a field which the server would drop is noticed. Names the first wrong field only.
 */
export function parseLlmRequest(value: unknown): Parsed<LlmRequest> {
  const error = checkRequest(value);
  return error === undefined ? { ok: true, value: value as LlmRequest } : { ok: false, errors: [error] };
}

const name = stringOfLength(1, Number.POSITIVE_INFINITY);
const cacheMarker = oneOfTexts("5m", "1h");
const cache = optional(cacheMarker);

const sources: { readonly [type: string]: Check } = {
  url: fields({ type: literal("url"), url: { check: string }, mediaType: optional(string) }),
  file: fields({ type: literal("file"), fileId: { check: string }, mediaType: optional(string) }),
};
const documentSources: { readonly [type: string]: Check } = {
  base64: fields({ type: literal("base64"), mediaType: { check: string }, data: { check: string } }),
  ...sources,
  text: fields({ type: literal("text"), text: { check: string } }),
};

const opaque = fields({ type: literal("opaque"), dialect: { check: string }, data: { check: object } });
const text = fields({ type: literal("text"), text: { check: string }, signature: optional(string), cache });
const plain: { readonly [type: string]: Check } = {
  text,
  image: fields({ type: literal("image"), mediaType: { check: string }, data: { check: string }, cache }),
  remote_image: fields({ type: literal("remote_image"), source: { check: oneOf("type", sources) }, cache }),
  document: fields({
    type: literal("document"),
    source: { check: oneOf("type", documentSources) },
    title: optional(string),
    cache,
  }),
};
const toolResult = fields({
  type: literal("tool_result"),
  toolCallId: { check: string },
  content: { check: list(oneOf("type", plain)) },
  isError: { check: boolean },
  cache,
});
const thinking = fields({
  type: literal("thinking"),
  text: { check: string },
  signature: optional(string),
  redactedData: optional(string),
  dialect: optional(string),
});
const toolUse = fields({
  type: literal("tool_use"),
  id: { check: string },
  name: { check: string },
  input: { check: object },
  malformedInput: optional(string),
  signature: optional(string),
  cache,
});

const message = oneOf("role", {
  user: fields({
    role: literal("user"),
    content: { check: list(oneOf("type", { ...plain, tool_result: toolResult, opaque })) },
  }),
  assistant: fields({
    role: literal("assistant"),
    content: { check: list(oneOf("type", { text, thinking, tool_use: toolUse, opaque })) },
  }),
});

const tool = fields({
  name: { check: name },
  description: { check: string },
  inputSchema: { check: object },
  strict: optional(boolean),
  cache,
});

const toolChoice = oneOf("type", {
  auto: fields({ type: literal("auto") }),
  none: fields({ type: literal("none") }),
  required: fields({ type: literal("required") }),
  tool: fields({ type: literal("tool"), name: { check: name } }),
});

const thinkingSetting = oneOf("type", {
  off: fields({ type: literal("off") }),
  on: fields({
    type: literal("on"),
    effort: optional(oneOfTexts("minimal", "low", "medium", "high", "xhigh", "max")),
    budgetTokens: optional(positiveInteger),
    visible: optional(boolean),
  }),
});

const output = oneOf("type", {
  json: fields({ type: literal("json") }),
  json_schema: fields({
    type: literal("json_schema"),
    name: { check: name },
    schema: { check: object },
    strict: optional(boolean),
    description: optional(string),
  }),
});

const checkFields = fields({
  model: { check: stringOfLength(1, LLM_REQUEST_BOUNDS.modelLength) },
  system: { check: string },
  messages: { check: nonEmptyList(message) },
  tools: { check: list(tool) },
  maxTokens: { check: positiveInteger },
  temperature: optional(numberUpTo(LLM_REQUEST_BOUNDS.temperature)),
  topP: optional(numberUpTo(1)),
  topK: optional(positiveInteger),
  stopSequences: optional(list(string)),
  seed: optional(integer),
  systemCache: cache,
  toolChoice: optional(toolChoice),
  parallelToolCalls: optional(boolean),
  providerTools: optional(list(fields({ dialect: { check: string }, definition: { check: object } }))),
  thinking: optional(thinkingSetting),
  output: optional(output),
  userId: optional(string),
  cacheKey: optional(string),
});

function checkRequest(value: unknown): FieldError | undefined {
  return isObject(value) ? checkFields(value, "") : wrong("", "must be an object");
}
