import { parsed } from "./json/value.ts";

/**
 * Members by which answers are known, of all dialects together: behind a path of one dialect may stand a server that
 * leaves out half of its own, or on Vertex AI a model of somebody else's. One of them is enough.
 */
const ANSWER_MEMBERS: ReadonlySet<string> = new Set([
  "id",
  "object",
  "model",
  "role",
  "usage",
  // Anthropic Messages, and what came before it
  "content",
  "stop_reason",
  "completion",
  // Chat Completions
  "choices",
  // Responses
  "output",
  "output_text",
  // Gemini, and other models on Vertex AI
  "candidates",
  "promptFeedback",
  "usageMetadata",
  "modelVersion",
  "responseId",
  "response",
  "predictions",
]);

/** What besides may stand in an event of a stream. */
const EVENT_MEMBERS = ["type", "delta", "error"];

const ODD_BEGINNING = new RegExp(
  `^[\\s\\xef\\xbb\\xbf]*(?:\\{\\s*(?:$|\\}|"(?!(?:${[...ANSWER_MEMBERS].join("|")})"))|\\[\\s*\\])`,
);
const EVENT = new RegExp(`"(?:${[...ANSWER_MEMBERS, ...EVENT_MEMBERS].join("|")})"\\s*:|\\[DONE\\]`);
const DATA_OBJECT = /(?:^|[\r\n])data: ?\{\s*"/;

/**
 * Whether this is whole JSON and yet no answer of a model: an object that has none of the members by which answers are
 * known, in any dialect, or a list of such objects. What is no JSON is not judged. `mayBeEmpty`: as with Gemini, which
 * leaves out what has nothing to say; default true.
 */
export function isForeignDocument(
  text: string,
  { mayBeEmpty = true }: { readonly mayBeEmpty?: boolean } = {},
): boolean {
  const value = parsed(text.replace(/^\uFEFF/, ""));
  if (isEmpty(value)) return !mayBeEmpty;
  return Array.isArray(value) ? value.every(isForeign) : isForeign(value);
}

/** Whether an object begins here, and not as answers do. Its end has to say what it is. */
export function mayBeForeignDocument(beginning: string): boolean {
  return ODD_BEGINNING.test(beginning);
}

/** Whether these events hold objects, and nothing that stands in those of an answer. */
export function areForeignEvents(text: string): boolean {
  return DATA_OBJECT.test(text) && !holdsSign(text);
}

/** Whether something stands here that stands in the events of an answer, in any dialect. */
export function holdsSign(text: string): boolean {
  return EVENT.test(text);
}

function isForeign(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return !isEmpty(value) && !Object.keys(value).some((key) => ANSWER_MEMBERS.has(key));
}

/** An object or a list with nothing in it. */
function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
