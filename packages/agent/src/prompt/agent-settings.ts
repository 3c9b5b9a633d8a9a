import { type AgentLimits, type AgentSettings, DEFAULT_LIMITS, type ToolDefinition } from "@loom/core";
import { readInstructions, renderInstructions } from "./instructions.ts";
import { findRepository } from "./repository.ts";
import { systemPrompt } from "./system-prompt.ts";

export type AgentSettingsOptions = {
  /** Absolute path. */
  readonly workspace: string;
  /** Where the person's own `AGENTS.md` may be, e.g. `$XDG_CONFIG_HOME/loom`. */
  readonly configDirectory?: string;
  /** A provider's model id, or an alias that the server knows. */
  readonly model: string;
  readonly tools: readonly ToolDefinition[];
  /** Upper bound of one answer, in tokens. */
  readonly maxTokens: number;
  readonly limits?: Partial<AgentLimits>;
  readonly autoCommit: boolean;
  /** Milliseconds since 1970; tells the agent today's date. */
  readonly now: number;
};

export type PreparedAgent = {
  readonly settings: AgentSettings;
  /** Names of the instruction files that were read, the most general first. */
  readonly instructionFiles: readonly string[];
  /** Sentences for the person about instruction files that were cut or left out. */
  readonly notices: readonly string[];
};

/** The settings of a run, from what the workspace says of itself. Reads a few small files; never throws for them. */
export function prepareAgent(options: AgentSettingsOptions): PreparedAgent {
  const { workspace, configDirectory, model, tools, maxTokens, limits, autoCommit, now } = options;
  const { files, notices } = readInstructions({ workspace, configDirectory });
  const git = findRepository(workspace);
  const system = systemPrompt({
    workspace,
    platform: `${process.platform} ${process.arch}`,
    date: new Date(now).toISOString().slice(0, 10),
    git,
    toolNames: tools.map(({ name }) => name),
    autoCommit: autoCommit && git !== undefined,
    instructions: renderInstructions(files),
  });
  return {
    settings: { model, system, tools, maxTokens, limits: { ...DEFAULT_LIMITS, ...limits } },
    instructionFiles: files.map(({ name }) => name),
    notices,
  };
}
