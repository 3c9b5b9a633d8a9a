import type { NormalizedRequest } from "../model/normalized-request.ts";
import { callTools, type Delivery, type Reply, type ScriptFunction, say } from "../model/reply.ts";
import { pickCommandTool, pickReadTool } from "./pick-tool.ts";

const TWELVE_BYTES = "lorem ipsum ";

type ToolTurnsOptions = {
  /** What each turn does: a command that ends at once, or a file that is read. */
  readonly tool?: "command" | "read";
  /** The file for `read`, relative to the client's workspace. */
  readonly path?: string;
};

/** Says what the person said. */
export function echo(request: NormalizedRequest): Reply {
  return say(request.prompt);
}

/** Streams `deltas` text deltas of 12 bytes each. */
export function longAnswer(deltas: number, delivery: Delivery = {}): ScriptFunction {
  const reply = say(TWELVE_BYTES.repeat(deltas), { delivery: { ...delivery, deltas } });
  return () => reply;
}

/**
 * Calls one tool a turn, `turns` times after each prompt, then says that it is done. It takes the tools a client
 * offers as they come; a request without a usable tool (a title, a summary) gets a short text.
 */
export function toolTurns(
  turns: number,
  { tool = "command", path = "README.md" }: ToolTurnsOptions = {},
): ScriptFunction {
  return ({ tools, turnResults }) => {
    const done = turnResults.length;
    if (turns > 0 && done >= turns) return say(`Done after ${done} tool turns.`);
    const call = tool === "read" ? pickReadTool(tools, path) : pickCommandTool(tools, `echo turn ${done + 1}`);
    return call === undefined || turns === 0 ? say("A scripted answer.") : callTools([call]);
  };
}
