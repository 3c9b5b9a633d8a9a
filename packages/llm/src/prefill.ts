import type { Message } from "@loom/core";

/** As `leftOut` names it. */
const NAME = "beginning of the answer";

/**
 * Whether the conversation ends with the beginning of the answer, for the model to go on from there. One that ends with
 * what only its provider reads is an answer that paused, and goes on by itself.
 */
export function isPrefilled(messages: readonly Message[]): boolean {
  const last = messages.at(-1);
  return (
    last?.role === "assistant" &&
    last.content.some((block) => block.type === "text" && block.text.trim() !== "") &&
    !last.content.some(({ type }) => type === "opaque")
  );
}

/** What is left out where a model takes that for an answer that was given, and begins another one. */
export function prefillLeftOut(messages: readonly Message[]): string[] {
  return isPrefilled(messages) ? [NAME] : [];
}
