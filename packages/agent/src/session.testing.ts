import {
  type AgentSettings,
  type AssistantContent,
  DEFAULT_LIMITS,
  type LlmEvent,
  type LlmRequest,
  NO_USAGE,
  type ToolCall,
} from "@loom/core";
import type { ExecutedCall } from "@loom/tools";
import { createSession } from "./session.ts";
import type { ModelClient, SessionOptions, SessionUpdate, ToolRunner } from "./session-types.ts";

export const SETTINGS: AgentSettings = {
  model: "default",
  system: "You are Loom.",
  tools: [],
  maxTokens: 1_000,
  limits: DEFAULT_LIMITS,
};

export function text(words: string): [{ type: "text"; text: string }] {
  return [{ type: "text", text: words }];
}

/** The last event of an answer. It costs 10 micro-dollars. */
export function answer(content: readonly AssistantContent[]): LlmEvent {
  const usage = { ...NO_USAGE, inputTokens: 100, outputTokens: 10 };
  const message = { role: "assistant" as const, content };
  const stopReason = content.some(({ type }) => type === "tool_use") ? ("tool_use" as const) : ("end_turn" as const);
  return { type: "completed", response: { message, stopReason, usage, model: "scripted", costMicroUsd: 10 } };
}

export function call(id: string, name = "bash"): ToolCall {
  return { type: "tool_use", id, name, input: {} };
}

export type Batches = AsyncIterable<readonly LlmEvent[]> | Iterable<readonly LlmEvent[]>;

/** A model that gives one prepared answer after the other; what it was asked is in `requests`. */
export function modelOf(
  ...answers: ((request: LlmRequest, signal: AbortSignal) => Batches)[]
): ModelClient & { readonly requests: LlmRequest[] } {
  const requests: LlmRequest[] = [];
  return {
    requests,
    async *stream(request, { signal }) {
      const answerTo = answers[requests.length];
      requests.push(request);
      if (answerTo === undefined) throw new Error("no answer is left");
      yield* answerTo(request, signal);
    },
  };
}

/** Answers with these blocks at once. */
export function says(...content: AssistantContent[]): () => Batches {
  return () => [[answer(content)]];
}

/** Never says anything more after `batches`, until it is stopped. */
export function hangsAfter(...batches: (readonly LlmEvent[])[]): (request: LlmRequest, signal: AbortSignal) => Batches {
  return async function* (_request, signal) {
    yield* batches;
    await aborted(signal);
  };
}

export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

export function succeeded(output: string, changed = false): ExecutedCall {
  return {
    outcome: { type: "success", content: text(output), changed },
    display: { kind: "text", text: output },
    changedFiles: changed ? "unknown" : [],
  };
}

/** Tools of which each call does the same; `read_file` is known to change nothing. */
export function toolsThat(execute: ToolRunner["execute"]): ToolRunner {
  return {
    execute,
    onlyReads: (name) => name === "read_file",
    describe: async ({ name }) => `Use ${name}`,
    preload: async () => {},
  };
}

export const noTools = toolsThat(async () => succeeded(""));

/** Collects what a session reports; `until` resolves with the first update that fits, also one from before. */
export function recorder() {
  const updates: SessionUpdate[] = [];
  const waiting: { fits: (update: SessionUpdate) => boolean; resolve: (update: SessionUpdate) => void }[] = [];
  return {
    updates,
    types: () => updates.map(({ type }) => type),
    onUpdate(update: SessionUpdate) {
      updates.push(update);
      for (const { fits, resolve } of waiting) if (fits(update)) resolve(update);
    },
    until(fits: (update: SessionUpdate) => boolean): Promise<SessionUpdate> {
      const found = updates.find(fits);
      return found === undefined ? new Promise((resolve) => waiting.push({ fits, resolve })) : Promise.resolve(found);
    },
  };
}

/** A session without tools unless they are given, and what it reports. */
export function start(options: Partial<SessionOptions> & Pick<SessionOptions, "model">) {
  const seen = recorder();
  const session = createSession({ settings: SETTINGS, tools: noTools, seed: 1, onUpdate: seen.onUpdate, ...options });
  return { session, ...seen };
}
