import type { AgentEvent, ToolCall } from "@loom/core";
import type { ExecutedCall } from "@loom/tools";
import type { FinishedTool, HookReport, PostToolsHook, SessionUpdate, ToolRunner } from "./session-types.ts";
import type { TaskGroup } from "./task-group.ts";

type ToolRoundsOptions = {
  readonly tools: ToolRunner;
  readonly hook: PostToolsHook | undefined;
  readonly tasks: TaskGroup;
  readonly now: () => number;
  readonly dispatch: (event: AgentEvent) => void;
  readonly update: (update: SessionUpdate) => void;
  readonly report: (report: HookReport) => void;
};

/** One answer's calls. */
type Round = {
  readonly controller: AbortController;
  readonly finished: FinishedTool[];
  hooked: boolean;
};

/** Runs the calls of one answer side by side, and after them the hook. After an abort nothing more is heard of them. */
export class ToolRounds {
  readonly #options: ToolRoundsOptions;
  #round: Round | undefined;
  /** Ends when the newest round has: tools that were interrupted may take a moment to be gone. */
  #roundEnd: Promise<void> = Promise.resolve();

  constructor(options: ToolRoundsOptions) {
    this.#options = options;
  }

  abort(): void {
    this.#round?.controller.abort();
  }

  execute(calls: readonly ToolCall[]): void {
    const round: Round = { controller: new AbortController(), finished: [], hooked: false };
    const previous = this.#roundEnd;
    this.#round = round;
    this.#roundEnd = this.#options.tasks.run(async () => {
      // A command that was just interrupted has to be gone before another touches the same files.
      await previous;
      await this.#runAll(round, calls);
      const changed = round.finished.some((tool) => tool.changed.length > 0);
      if (changed && !round.hooked) await this.#options.hook?.afterFailedTools(round.finished);
    });
  }

  /** To be called when every call of the round is answered. */
  runHook(): void {
    const { hook, tasks, dispatch, report } = this.#options;
    const round = this.#round;
    if (hook === undefined || round === undefined) {
      dispatch({ type: "post_tools_hook_completed", actionTaken: false });
      return;
    }
    round.hooked = true;
    tasks.run(async () => {
      const actionTaken = await hook.afterTools(round.finished, report);
      if (!round.controller.signal.aborted) dispatch({ type: "post_tools_hook_completed", actionTaken });
    });
  }

  /** Calls that may change the workspace wait for the hook's look at how it was before. */
  async #runAll(round: Round, calls: readonly ToolCall[]): Promise<void> {
    const { hook, tools } = this.#options;
    const onlyReads = ({ name }: ToolCall) => tools.onlyReads(name);
    const ready = calls.every(onlyReads) ? undefined : hook?.beforeTools(round.controller.signal);
    await Promise.all(
      calls.map(async (call) => {
        if (ready !== undefined && !onlyReads(call)) await ready;
        await this.#runOne(round, call);
      }),
    );
  }

  async #runOne(round: Round, call: ToolCall): Promise<void> {
    const { now, dispatch, update } = this.#options;
    const { signal } = round.controller;
    const startedAt = now();
    const { outcome, display, changedFiles, edits = [] } = await this.#execute(call, signal);
    round.finished.push({ call, outcome, changed: changedFiles, edits });
    if (signal.aborted) return;
    update({ type: "tool_finished", call, outcome, display, durationMs: now() - startedAt });
    dispatch({ type: "tool_completed", callId: call.id, outcome });
  }

  async #execute(call: ToolCall, signal: AbortSignal): Promise<ExecutedCall> {
    const { tools, dispatch, update } = this.#options;
    try {
      const title = await tools.describe(call);
      if (signal.aborted) return failed("interrupted", "The call was stopped before it began.");
      update({ type: "tool_started", call, title });
      dispatch({ type: "tool_progress", callId: call.id, progress: {} });
      return await tools.execute(call, {
        signal,
        onProgress(progress) {
          if (signal.aborted) return;
          update({ type: "tool_progress", callId: call.id, progress });
          dispatch({ type: "tool_progress", callId: call.id, progress });
        },
      });
    } catch (error) {
      return failed("internal", `The tool failed: ${error instanceof Error ? error.message : String(error)}.`);
    }
  }
}

function failed(code: "interrupted" | "internal", message: string): ExecutedCall {
  return { outcome: { type: "error", code, message }, display: { kind: "error", message }, changedFiles: [] };
}
