import type { Usage } from "@loom/core";
import type { Reply, ScriptedThinking, ScriptedToolCall } from "../model/reply.ts";
import type { PreparedReply, PreparedToolCall } from "./dialect.ts";

const CHARACTERS_PER_DELTA = 24;
const CHARACTERS_PER_ARGUMENTS_FRAGMENT = 16;
const CHARACTERS_PER_TOKEN = 4;

type Circumstances = { readonly number: number; readonly requestBytes: number; readonly toolCallPrefix: string };

/** Fills in what the script left open. */
export function prepareReply(reply: Reply, { number, requestBytes, toolCallPrefix }: Circumstances): PreparedReply {
  const thinking = typeof reply.thinking === "string" ? { text: reply.thinking } : reply.thinking;
  const text = reply.text ?? "";
  const toolCalls = (reply.toolCalls ?? []).map((call, index) =>
    prepareToolCall(call, `${toolCallPrefix}${number}_${index}`),
  );
  return {
    number,
    thinking,
    text,
    textDeltas: splitText(text, reply.delivery?.deltas ?? Math.ceil(text.length / CHARACTERS_PER_DELTA)),
    toolCalls,
    interleave: reply.delivery?.interleave ?? false,
    stopReason: reply.stopReason ?? (toolCalls.length > 0 ? "tool_use" : "end_turn"),
    usage: { ...estimateUsage(requestBytes, thinking, text, toolCalls), ...reply.usage },
  };
}

/** Cuts text into at most `count` pieces of about the same length, never inside a surrogate pair. */
export function splitText(text: string, count: number): readonly string[] {
  const pieces: string[] = [];
  let start = 0;
  const wanted = Math.max(1, count);
  for (let piece = 1; piece <= wanted; piece++) {
    let end = piece === wanted ? text.length : Math.round((piece * text.length) / wanted);
    if (isLowSurrogate(text.charCodeAt(end))) end++;
    if (end <= start) continue;
    pieces.push(text.slice(start, end));
    start = end;
  }
  return pieces;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}

function prepareToolCall(call: ScriptedToolCall, defaultId: string): PreparedToolCall {
  const text = call.rawArguments ?? JSON.stringify(call.input ?? {});
  const fragments = splitText(text, Math.ceil(text.length / CHARACTERS_PER_ARGUMENTS_FRAGMENT));
  return { id: call.id ?? defaultId, name: call.name, arguments: text, fragments };
}

function estimateUsage(
  requestBytes: number,
  thinking: ScriptedThinking | undefined,
  text: string,
  toolCalls: readonly PreparedToolCall[],
): Usage {
  const thought = thinking?.text?.length ?? 0;
  const called = toolCalls.reduce((sum, call) => sum + call.name.length + call.arguments.length, 0);
  return {
    inputTokens: Math.ceil(requestBytes / CHARACTERS_PER_TOKEN),
    outputTokens: Math.max(1, Math.ceil((thought + text.length + called) / CHARACTERS_PER_TOKEN)),
    cacheReadTokens: 0,
    cacheWriteTokens: 0,
    cacheWriteLongTokens: 0,
    reasoningTokens: Math.ceil(thought / CHARACTERS_PER_TOKEN),
  };
}
