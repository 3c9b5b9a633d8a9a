import type { JsonObject, ToolDefinition, ToolProgress, ToolResultContent } from "@loom/core";
import type { FileMemory } from "./file-memory.ts";
import type { FileOperations } from "./files/operations.ts";
import type { ProcessOperations } from "./processes/operations.ts";
import type { ThreadSearch } from "./threads/operations.ts";

/** Paths relative to the workspace, `/` between the parts; `"unknown"` where only a look at the workspace can tell. */
export type ChangedFiles = readonly string[] | "unknown";

/**
 * What the person sees of a finished call; apart from what the model reads. Paths and texts are as in the workspace: who
 * shows them on a terminal escapes control characters.
 */
export type ToolDisplay =
  | { readonly kind: "file"; readonly path: string; readonly lines: number; readonly truncated: boolean }
  | { readonly kind: "list"; readonly path: string; readonly entries: number; readonly truncated: boolean }
  | { readonly kind: "search"; readonly pattern: string; readonly matches: number; readonly truncated: boolean }
  | {
      readonly kind: "diff";
      readonly path: string;
      readonly created: boolean;
      readonly added: number;
      readonly removed: number;
      /** Unified diff without file headers, cut where it is long. */
      readonly diff: string;
    }
  | {
      readonly kind: "command";
      readonly command: string;
      /** `null` where the command was stopped. */
      readonly exitCode: number | null;
      /** Last part of the output, control sequences removed. */
      readonly output: string;
      /** Where the whole output is, if `output` is not all of it. */
      readonly outputFile?: string;
    }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "error"; readonly message: string };

/** One change of one file, exactly. */
export type FileEdit = {
  /** As in `ChangedFiles`. */
  readonly path: string;
  /** `undefined`: there was no such file. */
  readonly before: Uint8Array | undefined;
  readonly after: Uint8Array;
};

export type ToolResult = {
  /** What the model reads. */
  readonly model: string | readonly ToolResultContent[];
  readonly display: ToolDisplay;
  /** What differs in the workspace; absent or empty = nothing. */
  readonly changed?: ChangedFiles;
  /** Where the tool knows it, what it changed in these files. */
  readonly edits?: readonly FileEdit[];
};

/** What a running tool may use. */
export type ToolContext = {
  readonly files: FileOperations;
  readonly processes: ProcessOperations;
  readonly memory: FileMemory;
  /** Absent where there are no earlier conversations to search. */
  readonly threads?: ThreadSearch;
  /** Absolute path of a directory outside the workspace for outputs that are too long for the model. */
  readonly outputDirectory: string;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: ToolProgress) => void;
};

/** A call whose arguments fit. */
export type PreparedCall = {
  /** One line for a person: what the call is about to do. */
  readonly title: string;
  readonly deadlineMs: number;
  run(context: ToolContext): Promise<ToolResult>;
};

export type Tool = {
  readonly name: string;
  readonly description: string;
  /** `workspace`: a successful call may have changed files. */
  readonly effects: "none" | "workspace";
  /** What the model is told; computed on demand, because building a JSON Schema is not free. */
  definition(): ToolDefinition;
  /** Checks the arguments; a string says what does not fit. */
  prepare(input: JsonObject): PreparedCall | string;
};

/**
 * Tools and their definitions apart from each other: a session needs the definitions for its first request, the code
 * only when the model calls.
 */
export type ToolSource = {
  readonly definitions: readonly ToolDefinition[];
  /** Names of those without effects. */
  readonly reading: readonly string[];
  /** Names of those that are of use only where earlier conversations can be searched. */
  readonly searchingThreads?: readonly string[];
  load(): Promise<readonly Tool[]>;
};
