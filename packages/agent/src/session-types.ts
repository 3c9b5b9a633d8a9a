import type {
  AgentError,
  AgentSettings,
  AgentState,
  AssistantMessage,
  CompletedTool,
  LlmEvent,
  LlmRequest,
  Message,
  StopReason,
  ThreadId,
  ToolCall,
  ToolOutcome,
  ToolProgress,
  TurnOutcome,
  Usage,
  UserInput,
} from "@loom/core";
import type { ThreadError, ThreadWriter, UsageTotals } from "@loom/threads";
import type { ChangedFiles, FileEdit, ToolDisplay, ToolSet } from "@loom/tools";
import type { Clock } from "./clock.ts";
import type { GitProbe } from "./git-facts.ts";

/**
 * A way to a model: a stream of batches, one per network chunk, that ends with `completed` or `error`. A client that
 * throws or ends early all the same fails the request, not the session.
 */
export type ModelClient = {
  stream(request: LlmRequest, options: { readonly signal: AbortSignal }): AsyncIterable<readonly LlmEvent[]>;
};

/** What runs the model's calls: a `ToolSet`, or a part of one. */
export type ToolRunner = Pick<ToolSet, "onlyReads" | "preload" | "describe" | "execute">;

/** A tool that has run, with what it says of its changes. */
export type FinishedTool = CompletedTool & {
  readonly changed: ChangedFiles;
  readonly edits?: readonly FileEdit[];
};

/** What a hook tells the session while it works. */
export type HookReport =
  | { readonly type: "notice"; readonly text: string }
  | { readonly type: "commit"; readonly sha: string; readonly message: string; readonly paths: readonly string[] }
  | { readonly type: "usage"; readonly usage: Usage; readonly model: string; readonly costMicroUsd?: number };

/** Something that follows the agent's changes to the workspace. No method rejects; each ends within its own deadline. */
export type PostToolsHook = {
  /** Before the first call that may change the workspace, in each round of calls. */
  beforeTools(signal: AbortSignal): Promise<void>;
  /** After a round that changed something. Resolves with whether it looks into it, which may go on meanwhile. */
  afterTools(tools: readonly FinishedTool[], report: (report: HookReport) => void): Promise<boolean>;
  /** After a round that may have changed something but was stopped or failed: takes note, and leaves it at that. */
  afterFailedTools(tools: readonly FinishedTool[]): Promise<void>;
  /** Resolves when nothing of it is going on any more. With `hurry` it takes the shortest way to a good end. */
  settled(options?: { readonly hurry: boolean }): Promise<void>;
};

/** What happens in a session, for whoever shows it. Text comes in batches: one update per network chunk. */
export type SessionUpdate =
  | { readonly type: "turn_started" }
  | { readonly type: "request_started"; readonly requestId: number }
  | { readonly type: "text_delta"; readonly text: string }
  | { readonly type: "thinking_delta"; readonly text: string }
  | {
      readonly type: "tool_call_delta";
      readonly callId: string;
      readonly name: string;
      readonly argumentsFragment: string;
    }
  /** The whole answer, after its deltas. */
  | { readonly type: "answer"; readonly message: AssistantMessage; readonly stopReason: StopReason }
  /** Usage of one answer, and of the thread with it. `purpose` tells the turn's own from what was asked beside it. */
  | {
      readonly type: "usage";
      readonly purpose: "turn" | "commit_message";
      readonly model: string;
      readonly usage: Usage;
      /** Absent = price unknown. */
      readonly costMicroUsd?: number;
      readonly totals: UsageTotals;
    }
  | { readonly type: "tool_started"; readonly call: ToolCall; readonly title: string }
  | { readonly type: "tool_progress"; readonly callId: string; readonly progress: ToolProgress }
  | {
      readonly type: "tool_finished";
      readonly call: ToolCall;
      readonly outcome: ToolOutcome;
      readonly display: ToolDisplay;
      readonly durationMs: number;
    }
  /** One line for the person that is no error: a retry, a skipped commit, a thread that cannot be saved. */
  | { readonly type: "notice"; readonly text: string }
  | { readonly type: "commit"; readonly sha: string; readonly message: string; readonly paths: readonly string[] }
  | { readonly type: "error"; readonly error: AgentError }
  | { readonly type: "turn_ended"; readonly result: TurnResult };

/** Why a turn was stopped from outside. */
export type StopCause = "person" | "deadline" | "shutdown";

/** How a turn ended, and what it took. */
export type TurnResult = {
  readonly outcome: TurnOutcome;
  /** With `interrupted`. */
  readonly cause?: StopCause;
  /** With `failed`. */
  readonly error?: AgentError;
  /** Text of the last answer; "" where there was none. */
  readonly text: string;
  /** Answers of the model in this turn. */
  readonly turns: number;
  /** The same with the requests for commit messages, as the usage and the cost count them. */
  readonly requests: number;
  readonly usage: Usage;
  /** Of the requests whose price is known. */
  readonly costMicroUsd: number;
  readonly unpricedRequests: number;
  readonly toolCalls: number;
  readonly durationMs: number;
};

export type SessionOptions = {
  readonly settings: AgentSettings;
  readonly model: ModelClient;
  readonly tools: ToolRunner;
  readonly hook?: PostToolsHook;
  /** Where the thread is written, and what it already holds; without it nothing is kept. The session closes the writer. */
  readonly thread?: {
    readonly writer: ThreadWriter;
    readonly thread?: {
      readonly messages: readonly Message[];
      /** Messages of the thread in front of them, left out because there are too many. */
      readonly skipped?: number;
      readonly totals: UsageTotals;
    };
  };
  /** Tells the thread where its repository stands, when the session begins and when it ends. */
  readonly git?: GitProbe;
  /** Called for everything that happens, in order. Must not throw; what it throws is reported as uncaught. */
  readonly onUpdate?: (update: SessionUpdate) => void;
  /** The whole session ends after so many milliseconds, whatever it is doing. */
  readonly deadlineMs?: number;
  /** Ends the session when it aborts. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** Feeds the retry jitter (unsigned 32 bit); drawn at random unless given. */
  readonly seed?: number;
};

/** What is left when a session has ended. */
export type SessionEnd = {
  readonly cause: StopCause;
  /** Why the end of the thread is not on disk. */
  readonly unsaved?: ThreadError;
};

/** One conversation with an agent in one workspace. Nothing of it throws or rejects. */
export type Session = {
  readonly threadId: ThreadId | undefined;
  readonly state: AgentState;
  readonly totals: UsageTotals;
  /**
   * Says something to the agent. While a turn runs, it is delivered at the next safe point of that turn. Resolves when
   * the turn that heard it has ended; at once, with `interrupted`, in a session that has ended.
   */
  send(input: UserInput): Promise<TurnResult>;
  /** Stops the turn that runs: its request, its tools. Does nothing between turns. */
  interrupt(): void;
  /** Ends the session: stops what runs, saves, gives the thread free. The same promise however often it is called. */
  shutdown(cause?: StopCause): Promise<SessionEnd>;
};
