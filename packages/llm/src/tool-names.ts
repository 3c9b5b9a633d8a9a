import type { AssistantContent, LlmEvent, LlmRequest, LlmResponse, Usage } from "@loom/core";
import type { EncodedRequest, LlmCodec, LlmStreamDecoder, ProviderStreamDecoder } from "./codec.ts";
import { derivedId } from "./derived-id.ts";

/** What a provider takes for the name of a tool. */
type NameRule = {
  readonly maxLength: number;
  /** Global. */
  readonly forbidden: RegExp;
  readonly start: RegExp;
};

const ANYTHING = /^/;
export const OPENAI_NAMES: NameRule = { maxLength: 64, forbidden: /[^a-zA-Z0-9_-]/g, start: ANYTHING };
export const CLAUDE_NAMES: NameRule = { maxLength: 128, forbidden: /[^a-zA-Z0-9_-]/g, start: ANYTHING };
/** Some of its models take 128 characters, all take 64. */
export const GEMINI_NAMES: NameRule = { maxLength: 64, forbidden: /[^a-zA-Z0-9_.:-]/g, start: /^[a-zA-Z_]/ };

/** The names that a provider gets in the place of others, each with the one that it stands for. */
export type ToolNames = ReadonlyMap<string, string>;

/** In the place of a name that is empty. */
const NAMELESS = "unknown";
const DIGITS = 17;

/**
 * What `encode` makes of the request with names of tools that the provider takes, everywhere alike: in definitions, in the
 * choice, and in calls, also of tools that do not exist, which a model may have called. Different names stay different,
 * and a name becomes the same one in every request, unless that is another tool's. `toolNames` leads back.
 */
export function encodedWithNames(
  rule: NameRule,
  request: LlmRequest,
  encode: (request: LlmRequest) => EncodedRequest,
): EncodedRequest {
  const all = namesIn(request);
  const wrong = [...all].filter((name) => allowed(name, rule) !== name);
  if (wrong.length === 0) return encode(request);
  for (const name of wrong) all.delete(name);
  const wireNames = new Map<string, string>();
  for (const name of wrong) {
    const wireName = unlike(all, name, rule);
    all.add(wireName);
    wireNames.set(name, wireName);
  }
  const toolNames = new Map([...wireNames].map(([name, wireName]) => [wireName, name]));
  const encoded = encode(renamed(request, (name) => wireNames.get(name) ?? name));
  return encoded.ok ? { ...encoded, toolNames } : encoded;
}

function namesIn({ tools, toolChoice, messages }: LlmRequest): Set<string> {
  const names = new Set(tools.map(({ name }) => name));
  if (toolChoice?.type === "tool") names.add(toolChoice.name);
  for (const { role, content } of messages) {
    if (role === "assistant") for (const block of content) if (block.type === "tool_use") names.add(block.name);
  }
  return names;
}

/** Near to the name, and none of those that are taken. */
function unlike(taken: ReadonlySet<string>, name: string, rule: NameRule): string {
  let wish = allowed(name, rule);
  for (let n = 0; taken.has(wish); n++) wish = marked(wish, `${name} ${n}`, rule);
  return wish;
}

function allowed(name: string, rule: NameRule): string {
  const { forbidden, maxLength, start } = rule;
  const clean = name.replace(forbidden, "_") || NAMELESS;
  const begun = start.test(clean) ? clean : `_${clean}`;
  return begun.length <= maxLength ? begun : marked(begun, name, rule);
}

function marked(name: string, whole: string, { maxLength }: NameRule): string {
  return `${name.slice(0, maxLength - DIGITS)}_${derivedId(whole)}`;
}

function renamed(request: LlmRequest, nameOf: (name: string) => string): LlmRequest {
  const { tools, toolChoice, messages } = request;
  return {
    ...request,
    tools: tools.map((tool) => ({ ...tool, name: nameOf(tool.name) })),
    ...(toolChoice?.type === "tool" ? { toolChoice: { ...toolChoice, name: nameOf(toolChoice.name) } } : {}),
    messages: messages.map((message) =>
      message.role === "user" ? message : { ...message, content: callsRenamed(message.content, nameOf) },
    ),
  };
}

function callsRenamed(content: readonly AssistantContent[], nameOf: (name: string) => string): AssistantContent[] {
  return content.map((block) => (block.type === "tool_use" ? { ...block, name: nameOf(block.name) } : block));
}

/** The codec whose answers call tools by the names that they had before `encodedWithNames`. */
export function namingBack(codec: LlmCodec, names: ToolNames): LlmCodec {
  return {
    ...codec,
    streamDecoder: () => new NamingDecoder(codec.streamDecoder(), names),
    decodeResponse(body) {
      const decoded = codec.decodeResponse(body);
      return decoded.ok ? { ok: true, response: answerRenamed(decoded.response, names) } : decoded;
    },
  };
}

class NamingDecoder implements ProviderStreamDecoder {
  readonly #inner: ProviderStreamDecoder;
  readonly #names: ToolNames;

  constructor(inner: ProviderStreamDecoder, names: ToolNames) {
    this.#inner = inner;
    this.#names = names;
  }

  get usage(): Usage {
    return this.#inner.usage;
  }

  get model(): string {
    return this.#inner.model;
  }

  get finished(): boolean {
    return this.#inner.finished;
  }

  get counted(): boolean {
    return this.#inner.counted;
  }

  push(bytes: Uint8Array): ReturnType<LlmStreamDecoder["push"]> {
    return this.#inner.push(bytes).map((event) => eventRenamed(event, this.#names));
  }

  end(): ReturnType<LlmStreamDecoder["end"]> {
    return this.#inner.end().map((event) => eventRenamed(event, this.#names));
  }
}

function eventRenamed(event: LlmEvent, names: ToolNames): LlmEvent {
  switch (event.type) {
    case "tool_call_delta":
      return { ...event, name: names.get(event.name) ?? event.name };
    case "completed":
      return { ...event, response: answerRenamed(event.response, names) };
    default:
      return event;
  }
}

function answerRenamed(response: LlmResponse, names: ToolNames): LlmResponse {
  const content = callsRenamed(response.message.content, (name) => names.get(name) ?? name);
  return { ...response, message: { ...response.message, content } };
}
