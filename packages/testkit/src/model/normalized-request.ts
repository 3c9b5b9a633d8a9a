import type {
  AssistantContent,
  JsonObject,
  Message,
  ToolDefinition,
  ToolResultBlock,
  ToolUseBlock,
  UserContent,
} from "@loom/core";

export type DialectName = "anthropic" | "openai-chat" | "openai-responses" | "gemini";

/** A tool's answer together with the call it answers. */
export type AnsweredCall = {
  readonly callId: string;
  readonly name: string;
  readonly input: JsonObject;
  /** Text blocks of the answer, joined by line ends. */
  readonly text: string;
  /** Only Anthropic's dialect says so; false elsewhere. */
  readonly isError: boolean;
};

/** What a script sees of a request: the conversation, with the dialect hidden. */
export type NormalizedRequest = {
  readonly dialect: DialectName;
  readonly model: string;
  readonly stream: boolean;
  readonly system: string;
  /** Neighbours of the same role are merged, so that roles alternate. */
  readonly messages: readonly Message[];
  readonly tools: readonly ToolDefinition[];
  readonly toolNames: readonly string[];
  /** Every answered call of the conversation, oldest first. */
  readonly toolResults: readonly AnsweredCall[];
  /** Those since the person last spoke. */
  readonly turnResults: readonly AnsweredCall[];
  /** What the person said last, as text. */
  readonly prompt: string;
  readonly maxTokens: number | undefined;
};

type Conversation = Pick<
  NormalizedRequest,
  "dialect" | "model" | "stream" | "system" | "messages" | "tools" | "maxTokens"
>;

/** Adds what can be derived from the conversation itself. */
export function normalizeRequest(conversation: Conversation): NormalizedRequest {
  const messages = mergeTurns(conversation.messages);
  return {
    ...conversation,
    messages,
    toolNames: conversation.tools.map((tool) => tool.name),
    toolResults: answeredCalls(messages),
    turnResults: answeredCalls(messages.slice(Math.max(0, turnStart(messages)))),
    prompt: lastPrompt(messages),
  };
}

/** Joins neighbours of the same role, as providers do before they read a conversation. */
export function mergeTurns(messages: readonly Message[]): readonly Message[] {
  const merged: ({ role: "user"; content: UserContent[] } | { role: "assistant"; content: AssistantContent[] })[] = [];
  for (const message of messages) {
    const last = merged.at(-1);
    if (message.role === "user") {
      if (last?.role === "user") last.content.push(...message.content);
      else merged.push({ role: "user", content: [...message.content] });
    } else if (last?.role === "assistant") last.content.push(...message.content);
    else merged.push({ role: "assistant", content: [...message.content] });
  }
  return merged;
}

/** Text of a tool's answer; images are left out. */
export function resultText(block: ToolResultBlock): string {
  return block.content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");
}

function answeredCalls(messages: readonly Message[]): readonly AnsweredCall[] {
  const calls = new Map<string, ToolUseBlock>();
  const answered: AnsweredCall[] = [];
  for (const message of messages) {
    for (const block of message.content) {
      if (block.type === "tool_use") calls.set(block.id, block);
      if (block.type !== "tool_result") continue;
      const call = calls.get(block.toolCallId);
      answered.push({
        callId: block.toolCallId,
        name: call?.name ?? "",
        input: call?.input ?? {},
        text: resultText(block),
        isError: block.isError,
      });
    }
  }
  return answered;
}

// Text beside tool results is an afterthought within the turn; it does not begin one.
function turnStart(messages: readonly Message[]): number {
  return messages.findLastIndex(
    ({ role, content }) => role === "user" && content.every((block) => block.type !== "tool_result"),
  );
}

function lastPrompt(messages: readonly Message[]): string {
  for (const message of messages.toReversed()) {
    if (message.role !== "user") continue;
    const text = message.content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n");
    if (text !== "") return text;
  }
  return "";
}
