import type { AssistantContent, LlmEvent, LlmResponse, Usage } from "@loom/core";
import type { Answered } from "./delivery.ts";

/** Whether anything was counted. Every answer has a prompt: where all are zeros, nobody counted. */
export function isCounted({ inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens }: Usage): boolean {
  return inputTokens + outputTokens + cacheReadTokens + cacheWriteTokens > 0;
}

/** What an answer used, where `isWhole` as the provider said of all of it; without counts, for an estimate by its text. */
export function answeredBy(
  { usage, model }: { readonly usage: Usage; readonly model: string | undefined },
  { isWhole, textBytes }: { readonly isWhole: boolean; readonly textBytes: number },
): Answered {
  const counted = isCounted(usage);
  return {
    usage: counted ? usage : undefined,
    final: counted && isWhole,
    model: model === "" ? undefined : model,
    textBytes,
  };
}

/** Whether nothing was counted and no text was seen. */
export function isNothing({ usage, textBytes }: Answered): boolean {
  return usage === undefined && textBytes === 0;
}

/** How much of an event its model wrote, in bytes. */
export function bytesOfEvent(event: LlmEvent): number {
  switch (event.type) {
    case "text_delta":
    case "thinking_delta":
      return Buffer.byteLength(event.text);
    case "tool_call_delta":
      return Buffer.byteLength(event.argumentsFragment);
    default:
      return 0;
  }
}

/** How much of an answer its model wrote, in bytes. */
export function bytesOfAnswer({ message }: LlmResponse): number {
  return message.content.reduce((sum, block) => sum + bytesOfBlock(block), 0);
}

function bytesOfBlock(block: AssistantContent): number {
  switch (block.type) {
    case "text":
    case "thinking":
      return Buffer.byteLength(block.text);
    case "tool_use":
      return Buffer.byteLength(block.malformedInput ?? JSON.stringify(block.input));
    case "opaque":
      return Buffer.byteLength(JSON.stringify(block.data));
  }
}
