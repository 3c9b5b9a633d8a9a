import type { AssistantContent, JsonObject, OpaqueBlock, ThinkingBlock, ToolUseBlock } from "@loom/core";
import { isBrokenCall } from "../broken-call.ts";
import type { AnswerIdentity } from "../codec.ts";
import { saidOfPart } from "../foreign-part.ts";
import { unsealedMark } from "../foreign-seal.ts";
import { ThoughtsOnCall } from "./thoughts-on-call.ts";

/** One chunk, or the only one. */
export function chunkToWire(
  id: string,
  model: string,
  candidate: { readonly parts: readonly JsonObject[]; readonly finishReason?: string },
  usageMetadata?: JsonObject,
): JsonObject {
  const { parts, finishReason } = candidate;
  const content = { role: "model", parts };
  return {
    candidates: [{ content, ...(finishReason === undefined ? {} : { finishReason }), index: 0 }],
    ...(usageMetadata === undefined ? {} : { usageMetadata }),
    modelVersion: model,
    responseId: id,
  };
}

export function modelOf(answered: string, { model = "" }: AnswerIdentity): string {
  return answered || model;
}

/**
 * The parts of an answer. Thoughts that another provider sealed leave their seals on the call that they led to. Of what
 * only another dialect knows the client is told in a text; a call whose arguments were cut with the answer is left out.
 * `origin`: see `AnswerIdentity`.
 */
export function partsToWire(content: readonly AssistantContent[], origin?: string): JsonObject[] {
  const parts: JsonObject[] = [];
  const thoughts = new ThoughtsOnCall();
  for (const block of content) {
    thoughts.see(block);
    if (block.type === "thinking") {
      if (block.text !== "" || block.signature !== undefined) parts.push(thoughtToWire(block, origin));
    } else if (block.type === "tool_use") {
      if (!isBrokenCall(block)) parts.push(callToWire(block, thoughts.take(), origin));
    } else if (block.type === "text") parts.push({ text: block.text, ...sealOf(block.signature) });
    else parts.push(...opaqueToWire(block));
  }
  return parts;
}

export function opaqueToWire(block: OpaqueBlock): JsonObject[] {
  if (block.dialect === "gemini") return [block.data];
  const text = saidOfPart(block);
  return text === "" ? [] : [{ text }];
}

/**
 * `thoughts` is the seal of what another provider thought before the call. Where it thought nothing, the mark says that
 * the call is not Gemini's, which would miss its own seal on it.
 */
export function callToWire(
  { id, name, input, signature }: ToolUseBlock,
  thoughts: string | undefined,
  origin: string | undefined,
): JsonObject {
  const seal = signature ?? thoughts ?? unsealedMark("gemini", origin);
  return { functionCall: { id, name, args: input }, ...sealOf(seal) };
}

function thoughtToWire({ text, signature, dialect }: ThinkingBlock, origin: string | undefined): JsonObject {
  const own = dialect === "gemini" ? signature : undefined;
  return { text, thought: true, ...sealOf(own ?? unsealedMark("gemini", dialect ?? origin)) };
}

function sealOf(signature: string | undefined): { thoughtSignature?: string } {
  return signature === undefined ? {} : { thoughtSignature: signature };
}
