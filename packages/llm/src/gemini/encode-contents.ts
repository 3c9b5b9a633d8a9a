import type {
  AssistantContent,
  AssistantMessage,
  JsonObject,
  Message,
  ThinkingBlock,
  ToolResultBlock,
  ToolUseBlock,
  UserMessage,
} from "@loom/core";
import { markedOff } from "../later-instructions.ts";
import { ownBlock } from "../own-words.ts";
import type { GeminiOptions } from "./encode-request.ts";
import { mediaToWire } from "./media-parts.ts";
import { type ModelTraits, traitsOf } from "./model-traits.ts";

/**
 * In the place of a seal that does not exist, because another provider's model made the call:
 * https://ai.google.dev/gemini-api/docs/thought-signatures
 */
const NO_SEAL = "skip_thought_signature_validator";

/** The same for a call in a client's own words; `undefined` where the model wants none. */
export function sealInPlace(model: string): string | undefined {
  return traitsOf(model).sealsCalls ? NO_SEAL : undefined;
}

type ContentTraits = Pick<ModelTraits, "sealsCalls"> & GeminiOptions;

/** The conversation as the provider takes it. A thought of another provider is left out. */
export function contentsToWire(messages: readonly Message[], traits: ContentTraits): JsonObject[] {
  const names = new Map<string, string>();
  return messages.flatMap((message, index) => {
    const path = `messages.${index}`;
    if (message.role === "assistant") {
      for (const block of message.content) if (block.type === "tool_use") names.set(block.id, block.name);
    }
    const parts =
      message.role === "user" ? userParts(message, names, traits, path) : answerParts(message, traits, path);
    return parts.length === 0 ? [] : [{ role: message.role === "user" ? "user" : "model", parts }];
  });
}

/** Results come first, because they have to follow the calls at once; then the media in them that they cannot hold. */
function userParts(
  { content }: UserMessage,
  names: ReadonlyMap<string, string>,
  traits: ContentTraits,
  path: string,
): JsonObject[] {
  const results: JsonObject[] = [];
  const media: JsonObject[] = [];
  const said: JsonObject[] = [];
  for (const block of content) {
    if (block.type === "tool_result") {
      const { part, beside } = resultToWire(block, names.get(block.toolCallId) ?? "unknown", traits, path);
      results.push(part);
      media.push(...beside);
    } else if (block.type === "text") {
      if (block.text !== "") said.push({ text: markedOff(block).text });
    } else if (block.type === "opaque") said.push(ownBlock(block, "gemini", path));
    else said.push(mediaToWire(block, path, traits));
  }
  return [...results, ...media, ...said];
}

function resultToWire(
  { toolCallId, content, isError }: ToolResultBlock,
  name: string,
  traits: ContentTraits,
  path: string,
): { readonly part: JsonObject; readonly beside: readonly JsonObject[] } {
  const { sealsCalls: holdsMedia, callIds } = traits;
  const texts = content.flatMap((block) => (block.type === "text" ? [block.text] : []));
  const media = content.flatMap((block) => (block.type === "text" ? [] : [mediaToWire(block, path, traits)]));
  const inside = holdsMedia ? media.filter((part) => part.inlineData !== undefined) : [];
  const beside = media.filter((part) => !inside.includes(part));
  const text = texts.join("\n");
  const response: JsonObject = isError ? { error: text || "The tool failed and gave no reason." } : { output: text };
  const part = {
    functionResponse: {
      ...(callIds ? { id: toolCallId } : {}),
      name,
      response,
      ...(inside.length === 0 ? {} : { parts: inside }),
    },
  };
  return { part, beside: beside.length === 0 ? [] : [{ text: `From the tool call ${toolCallId}:` }, ...beside] };
}

function answerParts(
  { content }: AssistantMessage,
  { sealsCalls, callIds }: ContentTraits,
  path: string,
): JsonObject[] {
  const first = content.find((block) => block.type === "tool_use");
  return content.flatMap((block) => answerPart(block, { needsSeal: sealsCalls && block === first, callIds, path }));
}

type CallTraits = Pick<GeminiOptions, "callIds"> & { readonly needsSeal: boolean };

function answerPart(
  block: AssistantContent,
  { needsSeal, callIds, path }: CallTraits & { readonly path: string },
): JsonObject[] {
  switch (block.type) {
    case "text":
      return block.text === "" && block.signature === undefined
        ? []
        : [{ text: block.text, ...sealToWire(block.signature) }];
    case "thinking":
      return isOwnThinking(block) ? [{ text: block.text, thought: true, ...sealToWire(block.signature) }] : [];
    case "tool_use":
      return [callToWire(block, { needsSeal, callIds })];
    case "opaque":
      return [ownBlock(block, "gemini", path)];
  }
}

export function isOwnThinking({ dialect }: ThinkingBlock): boolean {
  return dialect === "gemini";
}

/** Of the calls of one answer, only the first has to have a seal. */
function callToWire({ id, name, input, signature }: ToolUseBlock, { needsSeal, callIds }: CallTraits): JsonObject {
  const seal = sealToWire(signature);
  const stand = needsSeal && seal.thoughtSignature === undefined ? { thoughtSignature: NO_SEAL } : seal;
  return { functionCall: { ...(callIds ? { id } : {}), name, args: input }, ...stand };
}

/** A seal that is not base64 is none of this provider's, and would be refused. */
function sealToWire(signature: string | undefined): { thoughtSignature?: string } {
  return signature !== undefined && /^[A-Za-z0-9+/_-]+={0,2}$/.test(signature) ? { thoughtSignature: signature } : {};
}
