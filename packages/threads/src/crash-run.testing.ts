import { writeSync } from "node:fs";
import { type AgentAction, type AgentEvent, startAgent, step, traceStep } from "@loom/core";
import { stepDigest } from "./step-digest.ts";
import { createThreadStore } from "./thread-store.ts";
import { call, completed, llm, SETTINGS, says } from "./walk.testing.ts";

/** A thread long enough that a test can kill its process anywhere in it. */
export const CRASH_RUN_EVENTS = 3_000;

/** Drives a machine with made-up answers and results; says on standard output how many events have been appended. */
function main(directory: string): void {
  const writer = createThreadStore({ directory }).create({ workspace: directory, loomVersion: "0.0.0" });
  const at = new Date(0).toISOString();
  writer.append({ type: "run", at, settings: SETTINGS, seed: 1, messages: 0 });
  let { state, actions } = startAgent({ messages: [], seed: 1 });
  const queue: AgentEvent[] = [];
  for (let n = 1; n <= CRASH_RUN_EVENTS; n++) {
    if (queue.length === 0) queue.push(...actions.flatMap(eventsAfter));
    const event = queue.shift() ?? says("go on");
    const next = step(state, event, SETTINGS);
    if (event.type === "llm_event" && event.event.type !== "completed") writer.append({ type: "event", at, event });
    else writer.append({ type: "event", at, event, trace: traceStep(state, next, stepDigest) });
    ({ state, actions } = next);
    writeSync(1, `${writer.id} ${n}\n`);
  }
}

function eventsAfter(action: AgentAction): AgentEvent[] {
  switch (action.type) {
    case "send_llm_request": {
      const { requestId: id } = action;
      const deltas = Array.from({ length: 5 }, (_, n) => llm(id, { type: "text_delta", text: `word ${n} ` }));
      const tools = id % 3 === 0 ? [] : [call(`call-${id}-a`), call(`call-${id}-b`)];
      return [...deltas, llm(id, completed([{ type: "text", text: "word ".repeat(id % 2_000) }, ...tools], 3))];
    }
    case "execute_tools":
      return action.calls.map(({ id }) => ({
        type: "tool_completed",
        callId: id,
        outcome: { type: "success", content: [{ type: "text", text: "output\n".repeat(500) }], changed: true },
      }));
    case "run_post_tools_hook":
      return [{ type: "post_tools_hook_completed", actionTaken: false }];
    default:
      return [];
  }
}

if (import.meta.main) main(process.argv[2] ?? ".");
