import type { ToolRunner } from "@loom/agent";
import type { ExecutedCall, ToolSet } from "@loom/tools";

/** The tools of a session, none of which may take longer than `deadlineMs`, whatever its own limit is. */
export function withDeadline(tools: ToolSet, deadlineMs: number): ToolRunner {
  return {
    onlyReads: (name) => tools.onlyReads(name),
    preload: () => tools.preload(),
    describe: (call) => tools.describe(call),
    async execute(call, options) {
      const deadline = new AbortController();
      const timer = setTimeout(() => deadline.abort(), deadlineMs);
      const signal = AbortSignal.any([options.signal, deadline.signal]);
      const executed = await tools.execute(call, { ...options, signal });
      clearTimeout(timer);
      const isLate = deadline.signal.aborted && !options.signal.aborted;
      return isLate ? late(call.name, executed, deadlineMs) : executed;
    },
  };
}

/** To the tool, the deadline looks like a person who stops it. */
function late(name: string, executed: ExecutedCall, deadlineMs: number): ExecutedCall {
  if (executed.outcome.type === "success" || executed.outcome.code !== "interrupted") return executed;
  const message = `${name} was stopped after ${deadlineMs / 1_000} s (timeouts.tool_seconds), before it was done.`;
  return { ...executed, outcome: { type: "error", code: "timeout", message } };
}
