import type { JsonObject } from "@loom/core";
import { normaliseRemote } from "../git-remote.ts";
import {
  calledBy,
  contentOf,
  type Fields,
  type ForeignEntry,
  type ForeignSession,
  isFields,
  objectsIn,
  SessionFileError,
  stringOf,
  textsIn,
  timeOf,
  toolCall,
} from "./session-file.ts";

/** A session of Codex: `~/.codex/sessions/…/rollout-….jsonl`. */
export function readCodex(text: string, start: string): ForeignSession {
  const entries: ForeignEntry[] = [];
  let at = start;
  let workspace: string | undefined;
  let git: ForeignSession["git"];
  let model = "unknown";
  for (const { line, value } of objectsIn(text)) {
    at = timeOf(value.timestamp, at);
    const { payload } = value;
    if (value.type === "session_meta" || value.type === "turn_context" || value.type === "response_item") {
      if (!isFields(payload)) throw new SessionFileError(line, "has no payload");
      if (value.type === "response_item") entries.push(...itemOf(payload, at, model, line));
      else {
        workspace ??= stringOf(payload.cwd);
        model = stringOf(payload.model) ?? model;
        git ??= isFields(payload.git) ? gitOf(payload.git) : undefined;
      }
    }
  }
  return { workspace: workspace ?? "/", git, entries };
}

function gitOf(facts: Fields): ForeignSession["git"] {
  const branch = stringOf(facts.branch);
  const commit = stringOf(facts.commit_hash);
  const remote = normaliseRemote(stringOf(facts.repository_url) ?? "");
  return {
    ...(branch === undefined ? {} : { branch }),
    ...(commit === undefined || !/^[0-9a-f]{40,64}$/.test(commit) ? {} : { commit }),
    ...(remote === undefined ? {} : { remote }),
  };
}

function itemOf(item: Fields, at: string, model: string, line: number): ForeignEntry[] {
  switch (item.type) {
    case "message":
      return messageOf(item, at, model, line);
    case "reasoning": {
      const text = textsIn(item.summary).join("\n");
      return text === "" ? [] : [{ type: "assistant", at, model, content: [{ type: "thinking", text }] }];
    }
    case "function_call":
    case "custom_tool_call": {
      const input = inputOf(item.arguments ?? item.input);
      const call = toolCall(line, { id: item.call_id, name: item.name, input });
      return [{ type: "assistant", at, model, content: [call] }];
    }
    case "function_call_output":
    case "custom_tool_call_output": {
      const callId = calledBy(line, item.call_id);
      const { output } = item;
      const failed = isFields(output) && output.success === false;
      return [{ type: "tool_result", at, callId, text: outputText(output), isError: failed }];
    }
    default:
      return [];
  }
}

function messageOf({ role, content }: Fields, at: string, model: string, line: number): ForeignEntry[] {
  const texts = textsIn(contentOf(line, "a message", content));
  if (texts.length === 0) return [];
  const blocks = texts.map((text) => ({ type: "text" as const, text }));
  if (role === "assistant") return [{ type: "assistant", at, model, content: blocks }];
  // What Codex itself tells the model about its surroundings is marked so.
  const isOfPerson =
    role === "user" && !/^\s*<(?:environment_context|user_instructions|permissions)/.test(texts[0] ?? "");
  return isOfPerson ? [{ type: "user", at, content: blocks }] : [];
}

function inputOf(input: unknown): JsonObject {
  try {
    const value: unknown = typeof input === "string" ? JSON.parse(input) : input;
    if (isFields(value)) return value as JsonObject;
  } catch {
    // Not JSON: a tool with a language of its own.
  }
  return typeof input === "string" ? { input: input.toWellFormed() } : {};
}

function outputText(output: unknown): string {
  if (typeof output === "string") {
    // Older files wrap it: {"output":"…","metadata":{…}}.
    try {
      const value: unknown = JSON.parse(output);
      if (isFields(value) && typeof value.output === "string") return value.output.toWellFormed();
    } catch {
      // A plain text.
    }
    return output.toWellFormed();
  }
  if (Array.isArray(output)) return textsIn(output).join("\n");
  return isFields(output) && typeof output.content === "string" ? output.content.toWellFormed() : "";
}
