import type {
  AgentAction,
  AgentContext,
  AgentError,
  AgentEvent,
  AgentSettings,
  AgentState,
  PartialAnswer,
  Step,
  TurnOutcome,
} from "./agent.ts";
import type { AssistantMessage, Message } from "./content.ts";
import { appendAssistant, appendInputs, appendToolResults, toolCallsOf, withUniqueCallIds } from "./conversation.ts";
import type { LlmEvent, LlmFailure, LlmRequest, StopReason } from "./llm.ts";
import { nextRandom, retryDelay } from "./retry.ts";
import type { CompletedTool, ToolExecution, ToolOutcome } from "./tool.ts";

type StateOf<Type extends AgentState["type"]> = Extract<AgentState, { type: Type }>;

const NOTHING_YET: PartialAnswer = { text: "", thinking: "" };
const INTERRUPTED: ToolOutcome = {
  type: "error",
  code: "interrupted",
  message: "The person stopped this call before it ended. It may have taken effect in part.",
};

/**
 * The machine at rest. `messages` is a valid conversation to go on with ([] for a new one); `seed` (unsigned 32 bit)
 * feeds the retry jitter and is the only randomness there is.
 */
export function startAgent(start: { readonly messages: readonly Message[]; readonly seed: number }): Step {
  const context = { messages: start.messages, queued: [], requestId: 0, turns: 0, seed: start.seed >>> 0 };
  return { state: { type: "waiting_for_user_input", context }, actions: [{ type: "wait_for_input" }] };
}

/** Total: every state accepts every event; a pair that means nothing returns the same state and no action. */
export function step(state: AgentState, event: AgentEvent, settings: AgentSettings): Step {
  if (state.type === "shutting_down") return unchanged(state);
  if (event.type === "shutdown_requested") return shutDown(state);
  if (event.type === "interrupt") return onInterrupt(state, settings);
  if (event.type === "user_input" && state.type !== "waiting_for_user_input") {
    const context = { ...state.context, queued: [...state.context.queued, event.input] };
    return { state: { ...state, context }, actions: [] };
  }
  switch (state.type) {
    case "waiting_for_user_input":
      return event.type === "user_input"
        ? startTurn({ ...state.context, queued: [...state.context.queued, event.input] }, settings)
        : unchanged(state);
    case "calling_llm":
    case "processing_llm_response":
      return event.type === "llm_event" && event.requestId === state.context.requestId
        ? onLlmEvent(state, event.event, settings)
        : unchanged(state);
    case "executing_tools":
      return onToolEvent(state, event, settings);
    case "post_tools_hook":
      return event.type === "post_tools_hook_completed" ? onHookCompleted(state, settings) : unchanged(state);
    case "error":
      return event.type === "retry_timeout_fired" && event.requestId === state.context.requestId
        ? sendRequest(state.context, buildRequest(state.context, settings), state.retries + 1)
        : unchanged(state);
  }
}

function unchanged(state: AgentState): Step {
  return { state, actions: [] };
}

// --- turns -----------------------------------------------------------------------------------------------------------

/** Begins a turn with all the input that is waiting. */
function startTurn(context: AgentContext, settings: AgentSettings): Step {
  const messages = appendInputs(context.messages, context.queued);
  return nextRequest({ ...context, messages, queued: [], turns: 0 }, settings);
}

/** Input that is waiting starts the next turn at once; after a stop or a failure it waits for the person's next word. */
function endTurn(
  context: AgentContext,
  settings: AgentSettings,
  outcome: TurnOutcome,
  actions: readonly AgentAction[] = [],
): Step {
  if (outcome === "completed" && context.queued.length > 0) {
    const next = startTurn(context, settings);
    return { state: next.state, actions: [...actions, ...next.actions] };
  }
  return {
    state: { type: "waiting_for_user_input", context },
    actions: [...actions, { type: "wait_for_input", outcome }],
  };
}

function failTurn(context: AgentContext, settings: AgentSettings, error: AgentError): Step {
  return endTurn(context, settings, "failed", [{ type: "display_error", error }]);
}

// --- requests --------------------------------------------------------------------------------------------------------

function buildRequest(context: AgentContext, settings: AgentSettings): LlmRequest {
  const { model, system, tools, maxTokens } = settings;
  return { model, system, messages: context.messages, tools, maxTokens };
}

/** The next request of a turn, if the turn may make another. */
function nextRequest(context: AgentContext, settings: AgentSettings, prepared?: LlmRequest): Step {
  const { maxTurns } = settings.limits;
  if (maxTurns !== null && context.turns >= maxTurns) {
    const message = `The turn was stopped after ${maxTurns} model requests, the limit that was set for it.`;
    return failTurn(context, settings, { type: "max_turns", message });
  }
  const request = prepared ?? buildRequest(context, settings);
  return sendRequest({ ...context, turns: context.turns + 1 }, request, 0);
}

function sendRequest(context: AgentContext, request: LlmRequest, retries: number): Step {
  const requestId = context.requestId + 1;
  return {
    state: { type: "calling_llm", context: { ...context, requestId }, retries },
    actions: [{ type: "send_llm_request", requestId, request }],
  };
}

type Requesting = StateOf<"calling_llm" | "processing_llm_response">;

function onLlmEvent(state: Requesting, event: LlmEvent, settings: AgentSettings): Step {
  if (event.type === "completed") {
    return onAnswer(state.context, event.response.message, event.response.stopReason, settings);
  }
  if (event.type === "error") return onFailure(state, event.error, settings);
  const { context, retries } = state;
  const partial = addDelta(partialOf(state), event);
  return { state: { type: "processing_llm_response", context, retries, partial }, actions: [] };
}

function partialOf(state: Requesting): PartialAnswer {
  return state.type === "processing_llm_response" ? state.partial : NOTHING_YET;
}

function addDelta(partial: PartialAnswer, delta: Exclude<LlmEvent, { type: "completed" | "error" }>): PartialAnswer {
  if (delta.type === "text_delta") return { ...partial, text: partial.text + delta.text };
  if (delta.type === "thinking_delta") return { ...partial, thinking: partial.thinking + delta.text };
  return partial;
}

function onAnswer(
  context: AgentContext,
  message: AssistantMessage,
  stopReason: StopReason,
  settings: AgentSettings,
): Step {
  const answer = withUniqueCallIds(context.messages, message);
  const answered = { ...context, messages: appendAssistant(context.messages, answer.content) };
  const calls = toolCallsOf(answer);
  if (calls.length > 0) {
    const executions = calls.map((call): ToolExecution => ({ status: "pending", call }));
    return {
      state: { type: "executing_tools", context: answered, executions },
      actions: [{ type: "execute_tools", calls }],
    };
  }
  if (stopReason === "pause_turn") return nextRequest(answered, settings);
  const why = STOPPED_EARLY[stopReason];
  if (why !== undefined) return failTurn(answered, settings, { type: "stopped", stopReason, message: why });
  return endTurn(answered, settings, "completed");
}

/** Ways to stop that are not an answer. */
const STOPPED_EARLY: Partial<Record<StopReason, string>> = {
  max_tokens: "The answer was cut off at the limit of its length; raise max_tokens to let it be longer.",
  refusal: "The model refused to answer.",
  context_window_exceeded: "The conversation no longer fits the model's context window; start a new thread.",
};

function onFailure(state: Requesting, failure: LlmFailure, settings: AgentSettings): Step {
  const random = nextRandom(state.context.seed);
  const afterMs = retryDelay(failure, state.retries, random.value, settings.limits);
  if (afterMs === undefined) {
    const messages = appendAssistant(state.context.messages, textSoFar(partialOf(state)));
    return failTurn({ ...state.context, messages }, settings, { type: "llm", failure });
  }
  const context = { ...state.context, seed: random.seed };
  const attempts = `attempt ${state.retries + 2} of ${settings.limits.maxAttempts}`;
  return {
    state: { type: "error", context, error: { type: "llm", failure }, retries: state.retries, origin: "llm" },
    actions: [
      { type: "display_message", text: `${failure.message} Trying again in ${afterMs / 1000} s (${attempts}).` },
      { type: "schedule_retry", requestId: context.requestId, afterMs },
    ],
  };
}

function textSoFar(partial: PartialAnswer) {
  return [{ type: "text" as const, text: partial.text }];
}

// --- tools -----------------------------------------------------------------------------------------------------------

function onToolEvent(state: StateOf<"executing_tools">, event: AgentEvent, settings: AgentSettings): Step {
  if (event.type !== "tool_progress" && event.type !== "tool_completed") return unchanged(state);
  const index = state.executions.findIndex(
    (execution) => execution.call.id === event.callId && execution.status !== "completed",
  );
  const current = state.executions[index];
  if (current === undefined) return unchanged(state);
  const { call } = current;
  const changed: ToolExecution =
    event.type === "tool_progress"
      ? { status: "running", call, progress: event.progress }
      : { status: "completed", call, outcome: event.outcome };
  const executions = state.executions.with(index, changed);
  const completed = executions.filter((execution) => execution.status === "completed");
  if (completed.length < executions.length) return { state: { ...state, executions }, actions: [] };
  return onToolsCompleted(state.context, completed, settings);
}

function onToolsCompleted(context: AgentContext, completed: readonly CompletedTool[], settings: AgentSettings): Step {
  const tools = completed.map(({ call, outcome }) => ({ call, outcome }));
  const results = appendToolResults(context.messages, tools);
  const next = { ...context, messages: appendInputs(results, context.queued), queued: [] };
  if (!tools.some(({ outcome }) => outcome.type === "success" && outcome.changed)) return nextRequest(next, settings);
  const pendingRequest = buildRequest(next, settings);
  return {
    state: { type: "post_tools_hook", context: next, pendingRequest, completed: tools },
    actions: [{ type: "run_post_tools_hook", completed: tools }],
  };
}

function onHookCompleted(state: StateOf<"post_tools_hook">, settings: AgentSettings): Step {
  const { context, pendingRequest } = state;
  if (context.queued.length === 0) return nextRequest(context, settings, pendingRequest);
  return nextRequest({ ...context, messages: appendInputs(context.messages, context.queued), queued: [] }, settings);
}

// --- stopping --------------------------------------------------------------------------------------------------------

function onInterrupt(state: AgentState, settings: AgentSettings): Step {
  if (state.type === "waiting_for_user_input") return unchanged(state);
  return endTurn(settle(state), settings, "interrupted");
}

/** Input that is still waiting becomes part of the conversation, for whoever goes on with it. */
function shutDown(state: AgentState): Step {
  const settled = settle(state);
  const messages = appendInputs(settled.messages, settled.queued);
  return {
    state: { type: "shutting_down", context: { ...settled, messages, queued: [] } },
    actions: [{ type: "shutdown" }],
  };
}

/** The context with a valid conversation: text that was already shown is kept, open calls are answered. */
function settle(state: AgentState): AgentContext {
  const { context } = state;
  if (state.type === "processing_llm_response") {
    return { ...context, messages: appendAssistant(context.messages, textSoFar(state.partial)) };
  }
  if (state.type === "executing_tools") {
    const completed = state.executions.map(
      (execution): CompletedTool =>
        execution.status === "completed" ? execution : { call: execution.call, outcome: INTERRUPTED },
    );
    return { ...context, messages: appendToolResults(context.messages, completed) };
  }
  return context;
}
