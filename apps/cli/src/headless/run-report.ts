import type { SessionEnd, TurnResult } from "@loom/agent";
import { type AgentError, NO_USAGE, type Usage } from "@loom/core";
import { type ExitName, exitCodeOf } from "../exit-codes.ts";
import { exitForCode, type Failure } from "../failure.ts";
import type { StopReason } from "../run-stop.ts";

/** How a headless run ended: the `result` of json and stream-json. Times in milliseconds, money in micro-dollars. */
export type RunReport = {
  readonly type: "result";
  readonly threadId: string | null;
  readonly outcome: TurnResult["outcome"];
  readonly exitCode: number;
  /** The exit code's name. */
  readonly exit: ExitName;
  /** Text of the last answer. */
  readonly text: string;
  /** Answers of the model in this turn. */
  readonly turns: number;
  readonly toolCalls: number;
  readonly usage: Usage;
  readonly costMicroUsd: number;
  /** Requests whose price nobody knows and `costMicroUsd` does not hold. */
  readonly unpricedRequests: number;
  readonly durationMs: number;
  /** One sentence where `outcome` is not `completed`, or where the thread is not saved. */
  readonly error?: { readonly code: string; readonly message: string };
};

/** Puts together how the turn, the session and the process ended. */
export function reportRun(ended: {
  readonly threadId: string | undefined;
  readonly result: TurnResult;
  readonly end: SessionEnd;
  readonly stop: StopReason | undefined;
  readonly durationMs: number;
}): RunReport {
  const { threadId, result, end, stop, durationMs } = ended;
  const failure = failureOf(result, end, stop);
  const exit = failure?.exit ?? "ok";
  return {
    type: "result",
    threadId: threadId ?? null,
    outcome: result.outcome,
    exitCode: exitCodeOf(exit),
    exit,
    text: result.text,
    turns: result.turns,
    toolCalls: result.toolCalls,
    usage: result.usage,
    costMicroUsd: result.costMicroUsd,
    unpricedRequests: result.unpricedRequests,
    durationMs,
    ...(failure === undefined ? {} : { error: { code: failure.code, message: failure.message } }),
  };
}

function failureOf(result: TurnResult, end: SessionEnd, stop: StopReason | undefined): Failure | undefined {
  if (stop !== undefined && result.outcome !== "completed") return { ...stop, code: stop.exit };
  if (result.error !== undefined) return describeAgentError(result.error);
  if (result.outcome === "interrupted") {
    return { exit: "interrupted", code: "interrupted", message: "The turn was stopped." };
  }
  if (result.outcome === "failed") return { exit: "failed", code: "failed", message: "The turn failed." };
  if (end.unsaved !== undefined) return { exit: "not_saved", code: end.unsaved.code, message: end.unsaved.message };
  return undefined;
}

/** An error of the agent as an exit and a sentence. */
export function describeAgentError(error: AgentError): Failure {
  switch (error.type) {
    case "llm":
      return { exit: exitForCode(error.failure.code), code: error.failure.code, message: error.failure.message };
    case "max_turns":
      return { exit: "max_turns", code: "max_turns", message: error.message };
    case "stopped":
      return { exit: "failed", code: error.stopReason, message: error.message };
  }
}

/** A run that ended before its turn began. */
export function reportEarlyEnd(
  failure: Failure,
  { wasStopped, durationMs }: { readonly wasStopped: boolean; readonly durationMs: number },
): RunReport {
  return {
    type: "result",
    threadId: null,
    outcome: wasStopped ? "interrupted" : "failed",
    exitCode: exitCodeOf(failure.exit),
    exit: failure.exit,
    text: "",
    turns: 0,
    toolCalls: 0,
    usage: NO_USAGE,
    costMicroUsd: 0,
    unpricedRequests: 0,
    durationMs,
    error: { code: failure.code, message: failure.message },
  };
}
