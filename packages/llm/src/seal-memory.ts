import type { AssistantContent, AssistantMessage, LlmRequest, Message, ThinkingBlock, ToolUseBlock } from "@loom/core";
import { ScopedMemory } from "./scoped-memory.ts";

/** What an answer said before one of its calls that the client has no place for. */
type Remembered = {
  readonly signature?: string;
  /** Sealed thinking since the call before, or since the start of the answer. */
  readonly thinking: readonly ThinkingBlock[];
};

export type SealMemoryBounds = {
  /** Most calls that are remembered. Default 10,000. */
  readonly maxCalls?: number;
  /** Most characters of their seals and thoughts. Default 32 Mi. */
  readonly maxSize?: number;
};

/**
 * Seals by the id of the tool call that they belong to, for clients whose dialect cannot carry them: a provider that
 * seals its calls (Gemini), or the thinking before them (Anthropic), wants the seals back with the results. `scope` is
 * whom a conversation belongs to; nobody gets the seals of another.
 */
export class SealMemory {
  readonly #calls: ScopedMemory<Remembered>;

  constructor({ maxCalls = 10_000, maxSize = 32 * 1024 * 1024 }: SealMemoryBounds = {}) {
    this.#calls = new ScopedMemory({ maxEntries: maxCalls, maxSize });
  }

  /** Takes note of an answer before it goes to the client. */
  remember(scope: string, { content }: AssistantMessage): void {
    let thinking: ThinkingBlock[] = [];
    for (const block of content) {
      if (block.type === "thinking" && isSealed(block)) thinking.push(block);
      if (block.type !== "tool_use") continue;
      if (thinking.length > 0 || block.signature !== undefined) this.#keep(scope, block, thinking);
      thinking = [];
    }
  }

  /** The request with the seals of its earlier answers, as far as they are remembered and the client lost them. */
  restore(scope: string, request: LlmRequest): LlmRequest {
    let changed = false;
    const messages = request.messages.map((message): Message => {
      if (message.role !== "assistant") return message;
      const content = this.#restored(scope, message.content);
      if (content === message.content) return message;
      changed = true;
      return { role: "assistant", content };
    });
    return changed ? { ...request, messages } : request;
  }

  #restored(scope: string, content: readonly AssistantContent[]): readonly AssistantContent[] {
    const found = new Map<AssistantContent, Remembered>();
    for (const block of content) {
      if (block.type !== "tool_use") continue;
      const remembered = this.#calls.recall(scope, block.id);
      if (remembered !== undefined) found.set(block, remembered);
    }
    if (found.size === 0) return content;
    // A client that hands sealed thinking back itself has lost none of it.
    const thoughtsLost = !content.some((block) => block.type === "thinking" && isSealed(block));
    const restored: AssistantContent[] = [];
    let sinceCall: AssistantContent[] = [];
    for (const block of content) {
      const remembered = found.get(block);
      if (block.type !== "tool_use") sinceCall.push(block);
      else {
        const thoughts = thoughtsLost ? (remembered?.thinking ?? []) : [];
        // What comes back unsealed is what the sealed thoughts say, too.
        const said = thoughts.length === 0 ? sinceCall : sinceCall.filter(({ type }) => type !== "thinking");
        restored.push(...thoughts, ...said, resealed(block, remembered));
        sinceCall = [];
      }
    }
    return [...restored, ...sinceCall];
  }

  #keep(scope: string, { id, signature }: ToolUseBlock, thinking: readonly ThinkingBlock[]): void {
    const size = thinking.reduce((sum, block) => sum + sizeOf(block), signature?.length ?? 0);
    this.#calls.keep(scope, id, { ...(signature === undefined ? {} : { signature }), thinking }, size);
  }
}

function isSealed({ signature, redactedData }: ThinkingBlock): boolean {
  return signature !== undefined || redactedData !== undefined;
}

function sizeOf({ text, signature = "", redactedData = "" }: ThinkingBlock): number {
  return text.length + signature.length + redactedData.length;
}

function resealed(call: ToolUseBlock, remembered: Remembered | undefined): ToolUseBlock {
  const signature = call.signature ?? remembered?.signature;
  return signature === undefined ? call : { ...call, signature };
}
