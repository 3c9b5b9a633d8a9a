import type { UserInput } from "./agent.ts";
import type { AssistantContent, AssistantMessage, Message, ToolUseBlock, UserContent, UserMessage } from "./content.ts";
import type { CompletedTool, ToolOutcome } from "./tool.ts";

/** Appends what a person or a tool said; two user messages in a row become one, so that roles always alternate. */
export function appendUser(messages: readonly Message[], content: readonly UserContent[]): readonly Message[] {
  if (content.length === 0) return messages;
  const last = messages.at(-1);
  if (last?.role !== "user") return [...messages, { role: "user", content }];
  const merged: UserMessage = { role: "user", content: [...last.content, ...content] };
  return [...messages.slice(0, -1), merged];
}

/** Appends an answer; an empty one leaves no trace, and one that goes on after a pause joins its first half. */
export function appendAssistant(
  messages: readonly Message[],
  content: readonly AssistantContent[],
): readonly Message[] {
  const kept = content.filter((block) => block.type !== "text" || block.text !== "");
  if (kept.length === 0) return messages;
  const last = messages.at(-1);
  if (last?.role !== "assistant") return [...messages, { role: "assistant", content: kept }];
  const merged: AssistantMessage = { role: "assistant", content: [...last.content, ...kept] };
  return [...messages.slice(0, -1), merged];
}

/** All input that was waiting, as one message, in the order it came. */
export function appendInputs(messages: readonly Message[], inputs: readonly UserInput[]): readonly Message[] {
  return appendUser(messages, inputs.flat());
}

/** One result per call, in the order of the calls. */
export function appendToolResults(
  messages: readonly Message[],
  completed: readonly CompletedTool[],
): readonly Message[] {
  return appendUser(
    messages,
    completed.map(({ call, outcome }) => ({ type: "tool_result", toolCallId: call.id, ...resultOf(outcome) })),
  );
}

function resultOf(outcome: ToolOutcome) {
  if (outcome.type === "success") return { content: outcome.content, isError: false };
  return { content: [{ type: "text" as const, text: outcome.message }], isError: true };
}

export function toolCallsOf(message: AssistantMessage): readonly ToolUseBlock[] {
  return message.content.filter((block) => block.type === "tool_use");
}

/**
 * Gives every call of the answer an id that no other call of the conversation has. Providers promise that; some
 * compatible servers number their calls from 0 in each answer, and then a result would answer two calls.
 */
export function withUniqueCallIds(messages: readonly Message[], answer: AssistantMessage): AssistantMessage {
  const taken = new Set<string>();
  for (const message of messages) {
    if (message.role === "assistant") for (const call of toolCallsOf(message)) taken.add(call.id);
  }
  let renamed = false;
  const content = answer.content.map((block) => {
    if (block.type !== "tool_use") return block;
    const id = firstFree(block.id, taken);
    taken.add(id);
    if (id === block.id) return block;
    renamed = true;
    return { ...block, id };
  });
  return renamed ? { ...answer, content } : answer;
}

function firstFree(id: string, taken: ReadonlySet<string>): string {
  const base = id === "" ? "call" : id;
  let candidate = base;
  for (let n = 2; taken.has(candidate); n++) candidate = `${base}_${n}`;
  return candidate;
}

/** The first rule of a valid conversation that `messages` breaks, or `undefined`. */
export function conversationProblem(messages: readonly Message[]): string | undefined {
  let open: readonly string[] = [];
  for (const [index, message] of messages.entries()) {
    const at = `message ${index}`;
    if (message.role !== (index % 2 === 0 ? "user" : "assistant")) return `${at} has the role ${message.role}`;
    if (message.content.length === 0) return `${at} is empty`;
    if (message.role === "assistant") {
      open = toolCallsOf(message).map((call) => call.id);
      if (new Set(open).size !== open.length) return `${at} has two calls with one id`;
      continue;
    }
    const answered = message.content.filter((block) => block.type === "tool_result").map((block) => block.toolCallId);
    if (answered.length !== open.length || open.some((id, nth) => answered[nth] !== id)) {
      return `${at} answers the calls [${answered.join(", ")}] where [${open.join(", ")}] were made`;
    }
    open = [];
  }
  return open.length === 0 ? undefined : `the calls [${open.join(", ")}] have no result`;
}
