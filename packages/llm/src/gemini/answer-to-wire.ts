import type { AssistantContent, JsonObject, ThinkingBlock, ToolUseBlock } from "@loom/core";
import type { AnswerIdentity } from "../codec.ts";
import { sealToClient, unwrapSeal, wrapSeal } from "../foreign-seal.ts";

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
 * The parts of an answer. A thought that another provider sealed leaves its seal on the call that it led to, with its text:
 * clients of this dialect give back what is sealed, and few give back thoughts. Blocks that only another dialect knows
 * cannot be in the answer, since none of its tools were asked for.
 */
export function partsToWire(content: readonly AssistantContent[]): JsonObject[] {
  const parts: JsonObject[] = [];
  let waiting: ThinkingBlock | undefined;
  for (const block of content) {
    if (block.type === "thinking") {
      if (isForeign(block)) waiting = block;
      if (block.text !== "" || block.signature !== undefined) parts.push(thoughtToWire(block));
    } else if (block.type === "tool_use") {
      parts.push(callToWire(block, waiting));
      waiting = undefined;
    } else if (block.type === "text") parts.push({ text: block.text, ...sealOf(block.signature) });
    else if (block.dialect === "gemini") parts.push(block.data);
  }
  return parts;
}

/** `thought` is what another provider thought before the call, and sealed. */
export function callToWire(
  { id, name, input, signature }: ToolUseBlock,
  thought: ThinkingBlock | undefined,
): JsonObject {
  const seal = signature ?? (thought === undefined ? undefined : wrappedThought(thought));
  return { functionCall: { id, name, args: input }, ...sealOf(seal) };
}

export function isForeign({ signature, redactedData, dialect }: ThinkingBlock): boolean {
  return dialect !== "gemini" && (signature !== undefined || redactedData !== undefined);
}

function thoughtToWire(block: ThinkingBlock): JsonObject {
  return { text: block.text, thought: true, ...sealOf(isForeign(block) ? undefined : block.signature) };
}

function wrappedThought(block: ThinkingBlock): string | undefined {
  const seal = unwrapSeal(sealToClient(block, "gemini") ?? "");
  return seal === undefined ? undefined : wrapSeal({ ...seal, text: block.text });
}

function sealOf(signature: string | undefined): { thoughtSignature?: string } {
  return signature === undefined ? {} : { thoughtSignature: signature };
}
