import type { LlmRequest, Message, ThinkingBlock } from "@loom/core";

/** As `leftOut` names it. */
export const THINKING_LEFT_OUT = "thinking of earlier answers";
/** The same, for what a request says of the thinking of its answer: that there is to be some, or none. */
export const THINKING_ASKED = "thinking";

/**
 * What is left out of a conversation because only the provider that thought it takes it back: said as text, it would pass
 * for what the model had answered.
 */
export function thinkingLeftOut(messages: readonly Message[], takes: (block: ThinkingBlock) => boolean): string[] {
  const isLost = messages.some(
    (message) =>
      message.role === "assistant" && message.content.some((block) => block.type === "thinking" && !takes(block)),
  );
  return isLost ? [THINKING_LEFT_OUT] : [];
}

/** That a model which does not think was asked to. */
export function askedThinkingLeftOut({ thinking }: LlmRequest, { thinks }: { readonly thinks: boolean }): string[] {
  return thinking?.type === "on" && !thinks ? [THINKING_ASKED] : [];
}
