import type { LlmRequest } from "@loom/core";
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

type Check = (value: unknown, field: string) => FieldError | undefined;
type Fields = { readonly [name: string]: { readonly check: Check; readonly optional?: true } };

const string: Check = (value, field) => (typeof value === "string" ? undefined : wrong(field, "must be a string"));
const boolean: Check = (value, field) => (typeof value === "boolean" ? undefined : wrong(field, "must be a boolean"));
const object: Check = (value, field) => (isObject(value) ? undefined : wrong(field, "must be an object"));

const text = fields({ type: literal("text"), text: { check: string } });
const image = fields({ type: literal("image"), mediaType: { check: string }, data: { check: string } });
const toolResult = fields({
  type: literal("tool_result"),
  toolCallId: { check: string },
  content: { check: list(oneOf("type", { text, image })) },
  isError: { check: boolean },
});
const thinking = fields({
  type: literal("thinking"),
  text: { check: string },
  signature: { check: string, optional: true },
  redactedData: { check: string, optional: true },
});
const toolUse = fields({
  type: literal("tool_use"),
  id: { check: string },
  name: { check: string },
  input: { check: object },
  malformedInput: { check: string, optional: true },
});

const message = oneOf("role", {
  user: fields({
    role: literal("user"),
    content: { check: list(oneOf("type", { text, image, tool_result: toolResult })) },
  }),
  assistant: fields({
    role: literal("assistant"),
    content: { check: list(oneOf("type", { text, thinking, tool_use: toolUse })) },
  }),
});

const tool = fields({
  name: { check: stringOfLength(1, Number.POSITIVE_INFINITY) },
  description: { check: string },
  inputSchema: { check: object },
});

const checkFields = fields({
  model: { check: stringOfLength(1, LLM_REQUEST_BOUNDS.modelLength) },
  system: { check: string },
  messages: { check: nonEmptyList(message) },
  tools: { check: list(tool) },
  maxTokens: { check: positiveInteger },
  temperature: { check: numberUpTo(LLM_REQUEST_BOUNDS.temperature), optional: true },
});

function checkRequest(value: unknown): FieldError | undefined {
  return isObject(value) ? checkFields(value, "") : wrong("", "must be an object");
}

function fields(expected: Fields): Check {
  const names = Object.keys(expected);
  const required = names.filter((name) => expected[name]?.optional !== true);
  return (value, field) => {
    if (!isObject(value)) return wrong(field, "must be an object");
    for (const name of required) {
      if (!Object.hasOwn(value, name)) return wrong(join(field, name), "is missing");
    }
    for (const name of Object.keys(value)) {
      const rule = Object.hasOwn(expected, name) ? expected[name] : undefined;
      if (rule === undefined) return wrong(join(field, name), "is not a field of the API");
      const error = rule.check(value[name], join(field, name));
      if (error !== undefined) return error;
    }
    return undefined;
  };
}

function oneOf(discriminator: string, variants: { readonly [name: string]: Check }): Check {
  const names = Object.keys(variants).join(", ");
  return (value, field) => {
    if (!isObject(value)) return wrong(field, "must be an object");
    const name = value[discriminator];
    const check = typeof name === "string" && Object.hasOwn(variants, name) ? variants[name] : undefined;
    return check === undefined ? wrong(join(field, discriminator), `must be one of: ${names}`) : check(value, field);
  };
}

function list(item: Check): Check {
  return (value, field) => {
    if (!Array.isArray(value)) return wrong(field, "must be a list");
    for (let index = 0; index < value.length; index += 1) {
      const error = item(value[index], `${field}[${index}]`);
      if (error !== undefined) return error;
    }
    return undefined;
  };
}

function nonEmptyList(item: Check): Check {
  const check = list(item);
  return (value, field) =>
    Array.isArray(value) && value.length === 0 ? wrong(field, "must not be empty") : check(value, field);
}

function literal(expected: string): { check: Check } {
  return { check: (value, field) => (value === expected ? undefined : wrong(field, `must be "${expected}"`)) };
}

function stringOfLength(min: number, max: number): Check {
  return (value, field) => {
    if (typeof value !== "string") return wrong(field, "must be a string");
    if (value.length < min) return wrong(field, "must not be empty");
    return value.length > max ? wrong(field, `must not be longer than ${max} characters`) : undefined;
  };
}

function numberUpTo(max: number): Check {
  return (value, field) =>
    typeof value === "number" && value >= 0 && value <= max
      ? undefined
      : wrong(field, `must be a number from 0 to ${max}`);
}

function positiveInteger(value: unknown, field: string): FieldError | undefined {
  return Number.isSafeInteger(value) && typeof value === "number" && value >= 1
    ? undefined
    : wrong(field, "must be a whole number, at least 1");
}

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function join(field: string, name: string): string {
  return field === "" ? name : `${field}.${name}`;
}

function wrong(field: string, message: string): FieldError {
  return { field, message };
}
