import type { ImageBlock, Message, TextBlock } from "./content.ts";
import type { LlmEvent, LlmFailure, LlmRequest, StopReason, ToolDefinition } from "./llm.ts";
import type { CompletedTool, ToolCall, ToolExecution, ToolOutcome, ToolProgress } from "./tool.ts";

/** What a person typed or piped in. Never empty. */
export type UserInput = readonly (TextBlock | ImageBlock)[];

/** Fixed for the life of one run of the machine; recorded with the event log, so that a replay has the same. */
export type AgentSettings = {
  readonly model: string;
  readonly system: string;
  readonly tools: readonly ToolDefinition[];
  readonly maxTokens: number;
  readonly limits: AgentLimits;
};

export type AgentLimits = {
  /** Requests made for one answer before the turn fails, the first one included. */
  readonly maxAttempts: number;
  readonly retryBaseMs: number;
  readonly retryCapMs: number;
  /** A provider that asks for a longer wait than this has failed for now: the person decides, not a timer. */
  readonly maxRetryAfterMs: number;
  /** Model requests for one user input, retries not counted; `null` = no bound. */
  readonly maxTurns: number | null;
};

export const DEFAULT_LIMITS: AgentLimits = {
  maxAttempts: 3,
  retryBaseMs: 200,
  retryCapMs: 5_000,
  maxRetryAfterMs: 60_000,
  maxTurns: null,
};

/** What every state carries. */
export type AgentContext = {
  /** Valid at every moment but one: while tools run, the calls of its last message are not answered yet. */
  readonly messages: readonly Message[];
  /** Input that came while a turn was running, oldest first. */
  readonly queued: readonly UserInput[];
  /** Number of the newest request; events of any older one are stale and ignored. */
  readonly requestId: number;
  /** Requests made for the current user input. */
  readonly turns: number;
  /** State of the jitter generator (unsigned 32 bit). */
  readonly seed: number;
};

/** What has come of the answer so far. */
export type PartialAnswer = { readonly text: string; readonly thinking: string };

export type AgentState =
  | { readonly type: "waiting_for_user_input"; readonly context: AgentContext }
  /** A request is out and nothing has come back yet. */
  | { readonly type: "calling_llm"; readonly context: AgentContext; readonly retries: number }
  /** The answer is streaming in. */
  | {
      readonly type: "processing_llm_response";
      readonly context: AgentContext;
      readonly retries: number;
      readonly partial: PartialAnswer;
    }
  | { readonly type: "executing_tools"; readonly context: AgentContext; readonly executions: readonly ToolExecution[] }
  | {
      readonly type: "post_tools_hook";
      readonly context: AgentContext;
      readonly pendingRequest: LlmRequest;
      readonly completed: readonly CompletedTool[];
    }
  /** Waiting for the retry timer. */
  | {
      readonly type: "error";
      readonly context: AgentContext;
      readonly error: AgentError;
      readonly retries: number;
      readonly origin: ErrorOrigin;
    }
  | { readonly type: "shutting_down"; readonly context: AgentContext };

export type ErrorOrigin = "llm" | "tool" | "io";

/** Why a turn failed, as plain data. */
export type AgentError =
  | { readonly type: "llm"; readonly failure: LlmFailure }
  | { readonly type: "max_turns"; readonly message: string }
  | { readonly type: "stopped"; readonly stopReason: StopReason; readonly message: string };

export type AgentEvent =
  | { readonly type: "user_input"; readonly input: UserInput }
  | { readonly type: "llm_event"; readonly requestId: number; readonly event: LlmEvent }
  | { readonly type: "tool_progress"; readonly callId: string; readonly progress: ToolProgress }
  | { readonly type: "tool_completed"; readonly callId: string; readonly outcome: ToolOutcome }
  | { readonly type: "post_tools_hook_completed"; readonly actionTaken: boolean }
  | { readonly type: "retry_timeout_fired"; readonly requestId: number }
  /** The person stops the turn. The driver cancels what it runs; the machine keeps the conversation valid. */
  | { readonly type: "interrupt" }
  | { readonly type: "shutdown_requested" };

/** How a turn ended. */
export type TurnOutcome = "completed" | "interrupted" | "failed";

/** What the driver must do next. The machine never waits: it says, the driver does. */
export type AgentAction =
  | { readonly type: "send_llm_request"; readonly requestId: number; readonly request: LlmRequest }
  /** All of them, in parallel. */
  | { readonly type: "execute_tools"; readonly calls: readonly ToolCall[] }
  | { readonly type: "run_post_tools_hook"; readonly completed: readonly CompletedTool[] }
  | { readonly type: "schedule_retry"; readonly requestId: number; readonly afterMs: number }
  /** `outcome` is absent only where no turn has ended (a resumed thread before its first input). */
  | { readonly type: "wait_for_input"; readonly outcome?: TurnOutcome }
  | { readonly type: "display_message"; readonly text: string }
  | { readonly type: "display_error"; readonly error: AgentError }
  | { readonly type: "shutdown" };

export type Step = { readonly state: AgentState; readonly actions: readonly AgentAction[] };
