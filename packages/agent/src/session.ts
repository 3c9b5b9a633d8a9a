import { randomInt } from "node:crypto";
import {
  type AgentAction,
  type AgentEvent,
  type AgentState,
  type LlmEvent,
  type LlmRequest,
  type LlmResponse,
  startAgent,
  step,
  type ThreadId,
  type TurnOutcome,
  type UserInput,
} from "@loom/core";
import { addResponse, NO_TOTALS, type UsageTotals } from "@loom/threads";
import { readAnswer } from "./answer-stream.ts";
import { type Clock, systemClock } from "./clock.ts";
import type {
  HookReport,
  Session,
  SessionEnd,
  SessionOptions,
  SessionUpdate,
  StopCause,
  TurnResult,
} from "./session-types.ts";
import { TaskGroup } from "./task-group.ts";
import { ThreadLog } from "./thread-log.ts";
import { ToolRounds } from "./tool-rounds.ts";
import { TurnLedger } from "./turn-ledger.ts";

/** How long the end of a session waits for a client or a tool that does not heed its signal. */
const GRACE_MS = 5_000;

/** How long the end of a session waits for git to say whether there are changes. */
const LAST_LOOK_MS = 500;

/** Starts a session at rest; nothing happens, and nothing is written, before the first `send`. */
export function createSession(options: SessionOptions): Session {
  return new AgentSession(options);
}

/** Drives the machine: it says what to do, this does it, and what comes of it goes back as events. */
class AgentSession implements Session {
  readonly threadId: ThreadId | undefined;
  /** Without the thread: what was loaded of it may be large. */
  readonly #options: Omit<SessionOptions, "thread">;
  readonly #clock: Clock;
  readonly #log: ThreadLog;
  readonly #events: AgentEvent[] = [];
  readonly #tasks = new TaskGroup((error) => this.#crash(error));
  readonly #rounds: ToolRounds;
  #state: AgentState;
  #totals: UsageTotals;
  #draining = false;
  #ledger: TurnLedger | undefined;
  #waiting: ((result: TurnResult) => void)[] = [];
  /** The turn is over and its last commit may not be: the promise ends with it, the function does not wait for it. */
  #finishing: Promise<void> | undefined;
  #finishTurn: (() => void) | undefined;
  #request: AbortController | undefined;
  #seenCalls = new Set<string>();
  #retryTimer: number | undefined;
  #deadlineTimer: number | undefined;
  #stopCause: StopCause | undefined;
  /** Tools may have changed the workspace since git was last asked about it. */
  #mayBeDirty = false;
  #askedGit = false;
  #end: PromiseWithResolvers<SessionEnd> | undefined;

  constructor(options: SessionOptions) {
    const { thread, ...others } = options;
    const { settings, deadlineMs, signal } = others;
    this.#options = others;
    this.threadId = thread?.writer.id;
    this.#clock = options.clock ?? systemClock;
    const seed = options.seed ?? randomInt(2 ** 32);
    const messages = thread?.thread?.messages ?? [];
    const skipped = thread?.thread?.skipped ?? 0;
    this.#state = startAgent({ messages, seed }).state;
    this.#totals = thread?.thread?.totals ?? NO_TOTALS;
    this.#log = new ThreadLog({
      writer: thread?.writer,
      clock: this.#clock,
      start: { settings, seed, messages: messages.length, ...(skipped > 0 ? { skipped } : {}) },
      notify: (text) => this.#update({ type: "notice", text }),
    });
    this.#rounds = new ToolRounds({
      tools: options.tools,
      hook: options.hook,
      tasks: this.#tasks,
      now: () => this.#clock.now(),
      dispatch: (event) => this.#dispatch(event),
      update: (update) => this.#update(update),
      report: (report) => this.#onReport(report),
    });
    if (deadlineMs !== undefined) {
      this.#deadlineTimer = this.#clock.setTimeout(() => void this.shutdown("deadline"), deadlineMs);
    }
    if (signal?.aborted) void this.shutdown();
    else signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  get state() {
    return this.#state;
  }

  get totals() {
    return this.#totals;
  }

  send(input: UserInput): Promise<TurnResult> {
    return new Promise((resolve) => {
      const say = () => {
        const now = this.#clock.now();
        if (this.#end !== undefined) {
          resolve(new TurnLedger(now).result("interrupted", now, this.#stopCause));
          return;
        }
        this.#waiting.push(resolve);
        this.#dispatch({ type: "user_input", input });
      };
      if (this.#finishing === undefined) say();
      else void this.#finishing.then(say);
    });
  }

  interrupt(): void {
    if (this.#end !== undefined) return;
    if (this.#finishTurn !== undefined) void this.#options.hook?.settled({ hurry: true });
    if (this.#state.type === "waiting_for_user_input") return;
    this.#stopCause = "person";
    this.#dispatch({ type: "interrupt" });
  }

  shutdown(cause: StopCause = "shutdown"): Promise<SessionEnd> {
    if (this.#end !== undefined) return this.#end.promise;
    this.#end = Promise.withResolvers();
    this.#stopCause = cause;
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    if (this.#deadlineTimer !== undefined) this.#clock.clearTimeout(this.#deadlineTimer);
    if (this.#finishTurn !== undefined) void this.#options.hook?.settled({ hurry: true });
    this.#dispatch({ type: "shutdown_requested" });
    void this.#leave(cause).then(this.#end.resolve);
    return this.#end.promise;
  }

  readonly #onAbort = () => void this.shutdown();

  async #leave(cause: StopCause): Promise<SessionEnd> {
    await this.#tasks.ended(this.#clock, GRACE_MS);
    this.#finishTurn?.();
    await this.#noteGit({ deadlineMs: LAST_LOOK_MS });
    const unsaved = await this.#log.close();
    return { cause, ...(unsaved === undefined ? {} : { unsaved }) };
  }

  /** Cancels the request, the tools and the timer of the turn. */
  #stopWork(): void {
    this.#request?.abort();
    this.#rounds.abort();
    if (this.#retryTimer !== undefined) this.#clock.clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
  }

  /** A fault of our own must not leave anybody waiting. */
  #crash(error: unknown): void {
    const text = `The session ends because of a fault in Loom: ${error instanceof Error ? error.message : String(error)}.`;
    this.#update({ type: "notice", text });
    void this.shutdown();
    this.#turnEnded("interrupted");
  }

  #update(update: SessionUpdate): void {
    try {
      this.#options.onUpdate?.(update);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  // --- the machine ---------------------------------------------------------------------------------------------------

  /** One event after the other, also where handling one gives rise to the next. */
  #dispatch(event: AgentEvent): void {
    this.#events.push(event);
    if (this.#draining) return;
    this.#draining = true;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) this.#step(next);
    } catch (error) {
      this.#draining = false;
      this.#crash(error);
    }
    this.#draining = false;
  }

  #step(event: AgentEvent): void {
    const before = this.#state;
    const after = step(before, event, this.#options.settings);
    // An event that means nothing here, such as a result that came after the turn was stopped.
    if (after.state === before && after.actions.length === 0) return;
    this.#state = after.state;
    // Before the actions: input that was queued starts the next turn in the same step.
    if (event.type === "interrupt" || event.type === "shutdown_requested") this.#stopWork();
    this.#log.event(before, event, after);
    if (before.type === "waiting_for_user_input" && event.type === "user_input") this.#turnStarted();
    if (event.type === "tool_completed") this.#mayBeDirty = true;
    for (const action of after.actions) this.#perform(action);
  }

  #perform(action: AgentAction): void {
    switch (action.type) {
      case "send_llm_request":
        this.#sendRequest(action.requestId, action.request);
        break;
      case "execute_tools":
        this.#ledger?.calledTools(action.calls.length);
        this.#rounds.execute(action.calls);
        break;
      case "run_post_tools_hook":
        this.#rounds.runHook();
        break;
      case "schedule_retry":
        this.#scheduleRetry(action.requestId, action.afterMs);
        break;
      case "display_message":
        this.#update({ type: "notice", text: action.text });
        break;
      case "display_error":
        this.#ledger?.failed(action.error);
        this.#update({ type: "error", error: action.error });
        break;
      case "wait_for_input":
        this.#turnEnded(action.outcome ?? "completed");
        break;
      case "shutdown":
        this.#turnEnded("interrupted");
    }
  }

  #scheduleRetry(requestId: number, afterMs: number): void {
    const fire = () => this.#dispatch({ type: "retry_timeout_fired", requestId });
    this.#retryTimer = this.#clock.setTimeout(fire, afterMs);
  }

  // --- turns ---------------------------------------------------------------------------------------------------------

  #turnStarted(): void {
    this.#stopCause = undefined;
    this.#ledger = new TurnLedger(this.#clock.now());
    this.#update({ type: "turn_started" });
    if (this.#askedGit) return;
    this.#askedGit = true;
    this.#mayBeDirty = true;
    // When the first request is on its way, and the model thinks.
    this.#tasks.run(() => Promise.resolve().then(() => this.#noteGit()));
  }

  /** Writes down where the repository stands; whether it is dirty only where that may have changed. */
  async #noteGit(patience?: { readonly deadlineMs: number }): Promise<void> {
    const { git } = this.#options;
    if (git === undefined || !this.#askedGit) return;
    this.#log.git(git.facts());
    if (!this.#mayBeDirty) return;
    this.#mayBeDirty = false;
    const dirty = await git.isDirty(patience);
    if (dirty !== undefined) this.#log.git({ dirty });
  }

  #turnEnded(outcome: TurnOutcome): void {
    const ledger = this.#ledger;
    if (ledger === undefined || this.#finishTurn !== undefined) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    const finish = () => {
      if (this.#finishTurn === undefined) return;
      this.#finishTurn = undefined;
      this.#finishing = undefined;
      this.#ledger = undefined;
      this.#log.usage(this.#totals);
      const result = ledger.result(outcome, this.#clock.now(), this.#stopCause);
      this.#update({ type: "turn_ended", result });
      for (const resolve of waiting) resolve(result);
    };
    this.#finishTurn = finish;
    const { hook } = this.#options;
    if (hook === undefined) finish();
    else this.#finishing = this.#tasks.run(() => hook.settled({ hurry: outcome === "interrupted" }).finally(finish));
  }

  // --- the model -----------------------------------------------------------------------------------------------------

  #sendRequest(requestId: number, request: LlmRequest): void {
    const controller = new AbortController();
    this.#request = controller;
    this.#seenCalls = new Set();
    this.#update({ type: "request_started", requestId });
    const onEvents = (events: readonly LlmEvent[]) => {
      for (const event of events) this.#onLlmEvent(requestId, event);
    };
    this.#tasks.run(() => readAnswer(this.#options.model, request, controller.signal, onEvents));
  }

  #onLlmEvent(requestId: number, event: LlmEvent): void {
    if (event.type === "completed") this.#onAnswer(event.response);
    else if (event.type === "text_delta" || event.type === "thinking_delta" || event.type === "tool_call_delta") {
      this.#update(event);
    }
    if (event.type === "tool_call_delta") {
      // The machine counts calls; what they say is in the whole answer.
      if (this.#seenCalls.has(event.callId)) return;
      this.#seenCalls.add(event.callId);
      // The tools are loaded while the rest of the call arrives; an answer in words alone loads none.
      this.#tasks.run(() => this.#options.tools.preload());
    }
    this.#dispatch({ type: "llm_event", requestId, event });
  }

  #onAnswer(response: LlmResponse): void {
    this.#ledger?.answered(response);
    this.#update({ type: "answer", message: response.message, stopReason: response.stopReason });
    this.#used("turn", response);
  }

  #used(purpose: "turn" | "commit_message", used: Pick<LlmResponse, "model" | "usage" | "costMicroUsd">): void {
    const { model, usage, costMicroUsd } = used;
    this.#totals = addResponse(this.#totals, used);
    const cost = costMicroUsd === undefined ? {} : { costMicroUsd };
    this.#update({ type: "usage", purpose, model, usage, ...cost, totals: this.#totals });
  }

  #onReport(report: HookReport): void {
    if (report.type === "usage") {
      this.#ledger?.used(report);
      this.#used("commit_message", report);
      return;
    }
    if (report.type === "commit") this.#log.commit(report.sha, report.message);
    this.#update(report);
  }
}
