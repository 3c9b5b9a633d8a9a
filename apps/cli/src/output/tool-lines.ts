import type { SessionUpdate } from "@loom/agent";
import { terminalLine } from "./terminal-text.ts";

const MAX_LINE = 120;

/** One line for a person about what the agent does, or `undefined` for what is not worth one. */
export function activityLine(update: SessionUpdate): string | undefined {
  switch (update.type) {
    case "tool_started":
      return `• ${terminalLine(update.title, MAX_LINE)}`;
    case "tool_finished":
      return finishedLine(update);
    case "commit":
      return `  commit ${update.sha.slice(0, 9)} ${terminalLine(update.message, MAX_LINE)}`;
    case "notice":
      return `  ${terminalLine(update.text, 4 * MAX_LINE)}`;
    default:
      return undefined;
  }
}

function finishedLine({ outcome, display }: SessionUpdate & { type: "tool_finished" }): string | undefined {
  if (outcome.type === "error") return `  ✗ ${terminalLine(outcome.message, MAX_LINE)}`;
  switch (display.kind) {
    case "diff":
      return `  +${display.added} −${display.removed} ${terminalLine(display.path, MAX_LINE)}`;
    case "command":
      return display.exitCode === 0 ? undefined : `  exit code ${display.exitCode ?? "none: it was stopped"}`;
    case "error":
      return `  ✗ ${terminalLine(display.message, MAX_LINE)}`;
    default:
      return undefined;
  }
}
