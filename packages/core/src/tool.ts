import type { ToolResultContent, ToolUseBlock } from "./content.ts";

/** A model's wish to run a tool: the block it sent. */
export type ToolCall = ToolUseBlock;

/** How far a running tool is. `fraction` is 0 to 1 where the tool knows; `message` is one line for a person. */
export type ToolProgress = { readonly fraction?: number; readonly message?: string };

export type ToolErrorCode =
  | "unknown_tool"
  | "invalid_arguments"
  | "not_allowed"
  | "path_outside_workspace"
  | "file_not_found"
  | "target_not_found"
  | "stale_file"
  | "timeout"
  | "interrupted"
  | "io"
  | "internal";

/**
 * How a call ended. `content` is what the model reads. `changed` says that the workspace may differ from before the
 * call: it decides whether the post-tools hook runs.
 */
export type ToolOutcome =
  | { readonly type: "success"; readonly content: readonly ToolResultContent[]; readonly changed: boolean }
  | { readonly type: "error"; readonly code: ToolErrorCode; readonly message: string };

export type CompletedTool = { readonly call: ToolCall; readonly outcome: ToolOutcome };

/** One record per call of a turn. */
export type ToolExecution =
  | { readonly status: "pending"; readonly call: ToolCall }
  | { readonly status: "running"; readonly call: ToolCall; readonly progress: ToolProgress }
  | { readonly status: "completed"; readonly call: ToolCall; readonly outcome: ToolOutcome };
