import { type AssistantContent, type JsonObject, NO_USAGE, type Usage } from "@loom/core";
import {
  countOf,
  documentIn,
  type Fields,
  type ForeignEntry,
  type ForeignSession,
  isFields,
  SessionFileError,
  stringOf,
  timeOf,
} from "./session-file.ts";

/** A session of opencode, as `opencode export` writes it. */
export function readOpencode(text: string, start: string): ForeignSession {
  const { info, messages } = documentIn(text);
  if (!isFields(info) || !Array.isArray(messages)) {
    throw new SessionFileError(1, "begins no session of opencode: it has no info and messages");
  }
  const entries: ForeignEntry[] = [];
  let at = isFields(info.time) ? timeOf(info.time.created, start) : start;
  for (const message of messages) {
    if (!isFields(message) || !isFields(message.info) || !Array.isArray(message.parts)) {
      throw new SessionFileError(1, `begins a session whose message ${entries.length + 1} is none`);
    }
    at = isFields(message.info.time) ? timeOf(message.info.time.created, at) : at;
    const parts = message.parts.filter(isFields);
    if (message.info.role === "user") {
      const content = parts.flatMap((part) => (part.synthetic === true ? [] : textOf(part)));
      if (content.length > 0) entries.push({ type: "user", at, content });
    } else entries.push(...answerOf(message.info, parts, at));
  }
  return { workspace: stringOf(info.directory) ?? "/", title: stringOf(info.title), entries };
}

function textOf(part: Fields): { type: "text"; text: string }[] {
  const text = part.type === "text" ? stringOf(part.text) : undefined;
  return text === undefined ? [] : [{ type: "text", text }];
}

/** One message of opencode holds several requests: what follows the results of tools is the next answer. */
function answerOf(info: Fields, parts: readonly Fields[], at: string): ForeignEntry[] {
  const model = stringOf(info.modelID) ?? "unknown";
  const entries: ForeignEntry[] = [];
  let content: AssistantContent[] = [];
  let results: ForeignEntry[] = [];
  let usage = usageIn(info.tokens);
  const close = (): void => {
    if (content.length === 0) return;
    entries.push({ type: "assistant", at, content, model, usage }, ...results);
    [content, results, usage] = [[], [], undefined];
  };
  for (const part of parts) {
    if (part.type === "step-start") close();
    if (part.type === "text") content.push(...textOf(part));
    if (part.type === "reasoning") content.push({ type: "thinking", text: String(part.text ?? "").toWellFormed() });
    const [id, name] = [stringOf(part.callID), stringOf(part.tool)];
    if (part.type !== "tool" || id === undefined || name === undefined) continue;
    const state = isFields(part.state) ? part.state : {};
    content.push({ type: "tool_use", id, name, input: isFields(state.input) ? (state.input as JsonObject) : {} });
    if (state.status !== "completed" && state.status !== "error") continue;
    const isError = state.status === "error";
    const text = String((isError ? state.error : state.output) ?? "").toWellFormed();
    results.push({ type: "tool_result", at, callId: id, text, isError });
  }
  close();
  return entries;
}

function usageIn(tokens: unknown): Usage | undefined {
  if (!isFields(tokens)) return undefined;
  const cache = isFields(tokens.cache) ? tokens.cache : {};
  return {
    ...NO_USAGE,
    inputTokens: countOf(tokens.input),
    outputTokens: countOf(tokens.output),
    reasoningTokens: countOf(tokens.reasoning),
    cacheReadTokens: countOf(cache.read),
    cacheWriteTokens: countOf(cache.write),
  };
}
