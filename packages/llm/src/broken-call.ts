import type { AssistantContent, LlmFailure, LlmResponse, Message, StopReason, ToolUseBlock } from "@loom/core";
import { quote } from "./quote.ts";

/** Ends that say of themselves that an answer was cut: a call without all of its arguments is no surprise there. */
const CUT: ReadonlySet<StopReason> = new Set(["max_tokens", "context_window_exceeded", "stop_sequence", "refusal"]);

/** As `leftOut` names it. */
const NAME = "arguments of earlier calls that are not JSON";

/** Whether the model's arguments were no JSON object: `input` holds none of them. */
export function isBrokenCall(block: AssistantContent): boolean {
  return block.type === "tool_use" && block.malformedInput !== undefined;
}

/**
 * Why an answer cannot be given to a client in whose dialect arguments are an object and not a text: handed over without
 * them, a call could do what nobody asked for. An answer that was cut is none of these.
 */
export function brokenCallIn({ message, stopReason }: LlmResponse): LlmFailure | undefined {
  if (CUT.has(stopReason)) return undefined;
  for (const block of message.content) {
    const problem = block.type === "tool_use" ? brokenCall(block) : undefined;
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** The same of one call, in whatever answer. */
export function brokenCall({ name, malformedInput }: ToolUseBlock): LlmFailure | undefined {
  if (malformedInput === undefined) return undefined;
  const said = quote(malformedInput);
  return {
    code: "invalid_response",
    message: `The model called the tool "${quote(name)}" with arguments that are not a JSON object${said === "" ? "" : ` (${said})`}: try again.`,
    retryable: true,
  };
}

/** What is left out of a conversation: providers read arguments again, and refuse a request with such as these. */
export function brokenCallsLeftOut(messages: readonly Message[]): string[] {
  return messages.some(({ role, content }) => role === "assistant" && content.some(isBrokenCall)) ? [NAME] : [];
}
