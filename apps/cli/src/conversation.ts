import { join } from "node:path";
import {
  createAutoCommit,
  createGitProbe,
  createSession,
  type ModelClient,
  prepareAgent,
  type Session,
  type SessionEnd,
  type SessionUpdate,
} from "@loom/agent";
import { closestName } from "@loom/config/closest-name";
import type { AgentSettings } from "@loom/core";
import { builtinTools, createToolSet, LocalFiles, LocalProcesses } from "@loom/tools";
import type { Connection } from "./connection.ts";
import { CliError } from "./exit-codes.ts";
import type { Settings } from "./settings.ts";
import { openThread, type ThreadChoice } from "./thread-access.ts";
import { threadSearch } from "./thread-search.ts";
import { withDeadline } from "./tool-runner.ts";
import { versionFacts } from "./version.ts";

export type ConversationOptions = {
  readonly settings: Settings;
  readonly connection: Connection;
  readonly choice: ThreadChoice;
  /** For the agent's commands and for git. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly onUpdate: (update: SessionUpdate) => void;
  readonly signal: AbortSignal;
  /** Instead of the configured one. */
  readonly model?: string;
};

/** A session with everything it stands on: thread, tools, model, hook. */
export type Conversation = {
  readonly session: Session;
  readonly agentSettings: AgentSettings;
  /** Sentences for the person about how it begins. */
  readonly notices: readonly string[];
  /** Whether there is anything to go on with later. */
  hasBegun(): boolean;
  /** Ends the session, saves, ends what tools left running. */
  close(): Promise<SessionEnd>;
};

/**
 * Begins or goes on with a thread in the workspace.
 * @throws CliError, ThreadError
 */
export function openConversation(options: ConversationOptions): Conversation {
  const { settings, connection, choice, environment, onUpdate, signal } = options;
  const { config, directories, workspace } = settings;
  const allowed = allowedTools(settings);
  const files = new LocalFiles(workspace);
  const processes = new LocalProcesses({ root: workspace, environment });
  const opened = openThread(directories, choice, { workspace, loomVersion: versionFacts().version });
  const tools = createToolSet({
    tools: builtinTools,
    files,
    processes,
    threads: threadSearch({ settings, current: opened }),
    outputDirectory: join(directories.cache, "output"),
    ...allowed,
  });
  const autoCommit = config.get("auto_commit.enabled");
  const prepared = prepareAgent({
    workspace,
    configDirectory: directories.config,
    model: options.model ?? config.get("model"),
    tools: tools.definitions,
    maxTokens: config.get("max_tokens"),
    limits: { maxTurns: config.get("limits.max_turns") },
    autoCommit,
    now: Date.now(),
  });
  const provider = config.get("provider") === "" ? "default" : config.get("provider");
  const model: ModelClient = { stream: (request, how) => connection.client.stream(provider, request, how) };
  let begun = opened.thread !== undefined;
  const session = createSession({
    settings: prepared.settings,
    model,
    tools: withDeadline(tools, config.get("timeouts.tool_seconds") * 1_000),
    ...(autoCommit
      ? { hook: createAutoCommit({ workspace, model, modelName: config.get("auto_commit.model"), environment }) }
      : {}),
    thread: { writer: opened.writer, ...(opened.thread === undefined ? {} : { thread: opened.thread }) },
    git: createGitProbe({ workspace, environment }),
    signal,
    onUpdate(update) {
      if (update.type === "turn_started") begun = true;
      onUpdate(update);
    },
  });
  return {
    session,
    agentSettings: prepared.settings,
    notices: [...connection.notices, ...prepared.notices, ...opened.notices],
    hasBegun: () => begun,
    async close() {
      const end = await session.shutdown();
      await processes.close();
      files.close();
      return end;
    },
  };
}

/** @throws CliError for a tool that does not exist. */
function allowedTools({ config }: Settings): { readonly allowed?: readonly string[] } {
  const allowed = config.get("tools.allowed");
  if (allowed.includes("*")) return {};
  const names = builtinTools.definitions.map((tool) => tool.name);
  for (const name of allowed) {
    if (names.includes(name)) continue;
    const source = config.sourceOf("tools.allowed");
    const where = source.layer === "flag" ? source.flag : "tools.allowed";
    const meant = closestName(name, names);
    const advice = meant === undefined ? `there are ${names.join(", ")}.` : `did you mean ${meant}?`;
    throw new CliError(
      source.layer === "flag" ? "usage" : "configuration",
      `${where}: there is no tool ${name}; ${advice}`,
    );
  }
  return { allowed };
}
