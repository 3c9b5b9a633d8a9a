import type { ToolCall, ToolDefinition, ToolErrorCode, ToolOutcome, ToolProgress } from "@loom/core";
import { ToolFailure } from "./failure.ts";
import { FileMemory } from "./file-memory.ts";
import type { FileOperations } from "./files/operations.ts";
import type { ProcessOperations } from "./processes/operations.ts";
import type { ThreadSearch } from "./threads/operations.ts";
import type { ChangedFiles, FileEdit, PreparedCall, Tool, ToolContext, ToolDisplay, ToolSource } from "./tool.ts";

export type ToolSetOptions = {
  readonly tools: ToolSource;
  readonly files: FileOperations;
  readonly processes: ProcessOperations;
  /** Without it, the tools that search threads are left out. */
  readonly threads?: ThreadSearch;
  /** Absolute path of a directory outside the workspace for outputs that are too long for the model. */
  readonly outputDirectory: string;
  /** Names of the tools that the model gets; all if absent. */
  readonly allowed?: readonly string[];
  /** How long a tool that was told to stop may take to do so, before it is left to itself; 10 s if absent. */
  readonly patienceMs?: number;
};

export type ExecuteOptions = {
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: ToolProgress) => void;
};

/** How a call ended: for the model, for the person, and for what looks at the workspace afterwards. */
export type ExecutedCall = {
  readonly outcome: ToolOutcome;
  readonly display: ToolDisplay;
  /** Also of a call that failed half-way. */
  readonly changedFiles: ChangedFiles;
  /** Where the tool knows it, exactly what it changed; in memory only. */
  readonly edits?: readonly FileEdit[];
};

export type ToolSet = {
  /** For the model; known without loading any tool. */
  readonly definitions: readonly ToolDefinition[];
  /** Whether calls of this tool leave the workspace as it is; `false` for a tool that nobody knows. */
  onlyReads(name: string): boolean;
  /** Loads the tools ahead of the first call, e.g. while the model answers. Never fails; a failure shows at the call. */
  preload(): Promise<void>;
  /** One line for a person: what the call is about to do. */
  describe(call: ToolCall): Promise<string>;
  /** Runs a call. Never throws, and always settles: at the latest some seconds after the tool's deadline or the signal. */
  execute(call: ToolCall, options: ExecuteOptions): Promise<ExecutedCall>;
};

const PATIENCE_MS = 10_000;
const MAX_QUOTED_LENGTH = 200;

export function createToolSet(options: ToolSetOptions): ToolSet {
  const { allowed } = options;
  const memory = new FileMemory();
  let loading: Promise<ReadonlyMap<string, Tool>> | undefined;
  const load = () => {
    loading ??= options.tools.load().then((tools) => new Map(tools.map((tool) => [tool.name, tool])));
    return loading;
  };
  const isMissing = (name: string) => options.threads === undefined && options.tools.searchingThreads?.includes(name);
  const isAllowed = (name: string) => !isMissing(name) && (allowed === undefined || allowed.includes(name));
  const definitions = options.tools.definitions.filter(({ name }) => isAllowed(name));

  const prepare = async (call: ToolCall): Promise<{ tool: Tool; prepared: PreparedCall }> => {
    const tool = (await load()).get(call.name);
    if (tool === undefined || !isAllowed(call.name))
      throw unavailable(call, { exists: tool !== undefined, definitions });
    if (call.malformedInput !== undefined) throw malformed(call.name, call.malformedInput);
    const prepared = tool.prepare(call.input);
    if (typeof prepared !== "string") return { tool, prepared };
    throw new ToolFailure(
      "invalid_arguments",
      `The arguments of ${call.name} do not fit: ${prepared}. Correct them and call again.`,
    );
  };

  return {
    definitions,
    onlyReads: (name) => options.tools.reading.includes(name),
    preload: () => load().then(ignore, ignore),
    describe: (call) =>
      prepare(call).then(
        ({ prepared }) => prepared.title,
        () => call.name,
      ),
    async execute(call, { signal, onProgress = ignore }) {
      try {
        const { tool, prepared } = await prepare(call);
        const { files, processes, threads, outputDirectory, patienceMs = PATIENCE_MS } = options;
        const result = await withDeadline(
          call.name,
          prepared,
          { signal, patienceMs },
          {
            files,
            processes,
            memory,
            outputDirectory,
            onProgress,
            ...(threads === undefined ? {} : { threads }),
          },
        );
        const changedFiles = tool.effects === "workspace" ? (result.changed ?? []) : [];
        const content =
          typeof result.model === "string" ? [{ type: "text" as const, text: result.model }] : result.model;
        const changed = changedFiles === "unknown" || changedFiles.length > 0;
        return {
          outcome: { type: "success", content, changed },
          display: result.display,
          changedFiles,
          ...(result.edits && { edits: result.edits }),
        };
      } catch (error) {
        return failed(call.name, error);
      }
    },
  };
}

async function withDeadline(
  name: string,
  call: PreparedCall,
  { signal, patienceMs }: { signal: AbortSignal; patienceMs: number },
  context: Omit<ToolContext, "signal">,
): Promise<Awaited<ReturnType<PreparedCall["run"]>>> {
  const stop = new AbortController();
  const abandoned = Promise.withResolvers<never>();
  let reason: ToolErrorCode | undefined;
  let patience: NodeJS.Timeout | undefined;
  const stopFor = (code: "timeout" | "interrupted") => {
    if (reason !== undefined) return;
    reason = code;
    stop.abort();
    patience = setTimeout(() => abandoned.reject(stopped(name, code, call.deadlineMs)), patienceMs);
  };
  const onAbort = () => stopFor("interrupted");
  const deadline = setTimeout(() => stopFor("timeout"), call.deadlineMs);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([call.run({ ...context, signal: stop.signal }), abandoned.promise]);
  } catch (error) {
    // A tool cannot tell why it was stopped.
    const interrupted = error instanceof ToolFailure && error.code === "interrupted";
    throw interrupted && reason === "timeout" ? stopped(name, reason, call.deadlineMs) : error;
  } finally {
    clearTimeout(deadline);
    clearTimeout(patience);
    signal.removeEventListener("abort", onAbort);
  }
}

function stopped(name: string, code: "timeout" | "interrupted", deadlineMs: number): ToolFailure {
  const why = code === "timeout" ? `after ${deadlineMs / 1_000} s` : "by the person";
  return new ToolFailure(code, `${name} was stopped ${why}, before it was done.`);
}

function unavailable(
  call: ToolCall,
  { exists, definitions }: { exists: boolean; definitions: readonly ToolDefinition[] },
): ToolFailure {
  const offer = `The tools are: ${definitions.map(({ name }) => name).join(", ")}.`;
  if (exists) return new ToolFailure("not_allowed", `${call.name} is not allowed here. ${offer}`);
  return new ToolFailure(
    "unknown_tool",
    `There is no tool ${JSON.stringify(call.name.slice(0, MAX_QUOTED_LENGTH))}. ${offer}`,
  );
}

function malformed(name: string, input: string): ToolFailure {
  const quoted = JSON.stringify(input.slice(0, MAX_QUOTED_LENGTH));
  const more = input.length > MAX_QUOTED_LENGTH ? ` and ${input.length - MAX_QUOTED_LENGTH} more characters` : "";
  return new ToolFailure(
    "invalid_arguments",
    `The arguments of ${name} are not a JSON object: ${quoted}${more}. It may have been cut off; call again with all of it.`,
  );
}

function failed(name: string, error: unknown): ExecutedCall {
  // The text of an unforeseen error may hold anything; only what a tool says itself is fit to be sent away.
  const failure =
    error instanceof ToolFailure
      ? error
      : new ToolFailure("internal", `${name} failed unexpectedly.`, { cause: error });
  const { code, message } = failure;
  return {
    outcome: { type: "error", code, message },
    display: failure.display ?? { kind: "error", message },
    changedFiles: failure.changed ?? [],
  };
}

function ignore(): void {}
