export type { AutoCommitOptions } from "./auto-commit/create-auto-commit.ts";
export { createAutoCommit } from "./auto-commit/create-auto-commit.ts";
export type { Clock } from "./clock.ts";
export type { GitProbe } from "./git-facts.ts";
export { createGitProbe } from "./git-facts.ts";
export type { AgentSettingsOptions, PreparedAgent } from "./prompt/agent-settings.ts";
export { prepareAgent } from "./prompt/agent-settings.ts";
export { createSession } from "./session.ts";
export type {
  FinishedTool,
  HookReport,
  ModelClient,
  PostToolsHook,
  Session,
  SessionEnd,
  SessionOptions,
  SessionUpdate,
  StopCause,
  ToolRunner,
  TurnResult,
} from "./session-types.ts";
