import { type AssistantContent, type JsonObject, NO_USAGE, type Usage, type UserInput } from "@loom/core";
import {
  calledBy,
  contentOf,
  countOf,
  type Fields,
  type ForeignEntry,
  type ForeignSession,
  isFields,
  objectsIn,
  SessionFileError,
  stringOf,
  timeOf,
  toolCall,
} from "./session-file.ts";

/** A session of Claude Code: `~/.claude/projects/…/ID.jsonl`. What its own helpers said to each other is left out. */
export function readClaudeCode(text: string, start: string): ForeignSession {
  const entries: ForeignEntry[] = [];
  let at = start;
  let workspace: string | undefined;
  let branch: string | undefined;
  let title: string | undefined;
  for (const { line, value } of objectsIn(text)) {
    if (value.type === "summary") title = stringOf(value.summary) ?? title;
    if ((value.type !== "user" && value.type !== "assistant") || value.isSidechain === true || value.isMeta === true)
      continue;
    const { message } = value;
    if (!isFields(message)) throw new SessionFileError(line, "has no message");
    at = timeOf(value.timestamp, at);
    workspace ??= stringOf(value.cwd);
    branch = stringOf(value.gitBranch) ?? branch;
    if (value.type === "user") entries.push(...fromUser(message.content, at, line));
    else entries.push(fromModel(message, at, line));
  }
  return {
    workspace: workspace ?? "/",
    title,
    git: branch === undefined ? undefined : { branch },
    entries,
  };
}

function fromUser(content: unknown, at: string, line: number): ForeignEntry[] {
  if (typeof content === "string") {
    const text = stringOf(content);
    return text === undefined ? [] : [{ type: "user", at, content: [{ type: "text", text }] }];
  }
  const entries: ForeignEntry[] = [];
  const said: UserInput[number][] = [];
  for (const block of contentOf(line, "a message", content).filter(isFields)) {
    if (block.type === "tool_result") {
      entries.push({
        type: "tool_result",
        at,
        callId: calledBy(line, block.tool_use_id),
        text: resultText(block.content),
        isError: block.is_error === true,
      });
    }
    if (block.type === "text" && stringOf(block.text) !== undefined)
      said.push({ type: "text", text: String(block.text).toWellFormed() });
    if (block.type === "image") said.push(...imageIn(block.source));
  }
  if (said.length > 0) entries.push({ type: "user", at, content: said });
  return entries;
}

function resultText(content: unknown): string {
  if (typeof content === "string") return content.toWellFormed();
  if (!Array.isArray(content)) return "";
  return content
    .filter(isFields)
    .map((block) => (typeof block.text === "string" ? block.text.toWellFormed() : `[${String(block.type)}]`))
    .join("\n");
}

function imageIn(source: unknown): UserInput[number][] {
  if (!isFields(source) || source.type !== "base64") return [];
  const [mediaType, data] = [stringOf(source.media_type), stringOf(source.data)];
  return mediaType === undefined || data === undefined ? [] : [{ type: "image", mediaType, data }];
}

function fromModel(message: Fields, at: string, line: number): ForeignEntry {
  const blocks = contentOf(line, "an answer", message.content).filter(isFields);
  const content = blocks.flatMap((block): AssistantContent[] => {
    switch (block.type) {
      case "text":
        return stringOf(block.text) === undefined ? [] : [{ type: "text", text: String(block.text).toWellFormed() }];
      case "thinking":
        return [{ type: "thinking", text: String(block.thinking ?? "").toWellFormed() }];
      case "tool_use": {
        const { id, name, input } = block;
        return [toolCall(line, { id, name, input: isFields(input) ? (input as JsonObject) : {} })];
      }
      default:
        return [];
    }
  });
  return { type: "assistant", at, content, model: stringOf(message.model) ?? "unknown", usage: usageIn(message.usage) };
}

function usageIn(usage: unknown): Usage | undefined {
  if (!isFields(usage)) return undefined;
  return {
    ...NO_USAGE,
    inputTokens: countOf(usage.input_tokens),
    outputTokens: countOf(usage.output_tokens),
    cacheReadTokens: countOf(usage.cache_read_input_tokens),
    cacheWriteTokens: countOf(usage.cache_creation_input_tokens),
  };
}
