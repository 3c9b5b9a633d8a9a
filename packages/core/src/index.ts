export type {
  AgentAction,
  AgentContext,
  AgentError,
  AgentEvent,
  AgentLimits,
  AgentSettings,
  AgentState,
  ErrorOrigin,
  PartialAnswer,
  Step,
  TurnOutcome,
  UserInput,
} from "./agent.ts";
export { DEFAULT_LIMITS } from "./agent.ts";
export type {
  AssistantContent,
  AssistantMessage,
  CacheMarker,
  ContentBlock,
  DocumentBlock,
  ImageBlock,
  MediaSource,
  Message,
  OpaqueBlock,
  RemoteImageBlock,
  TextBlock,
  ThinkingBlock,
  ToolResultBlock,
  ToolResultContent,
  ToolUseBlock,
  UserContent,
  UserMessage,
} from "./content.ts";
export { conversationProblem } from "./conversation.ts";
export type { ThreadId } from "./ids.ts";
export { isThreadId } from "./ids.ts";
export type { JsonObject, JsonValue } from "./json.ts";
export type { JsonBounds, JsonExcess } from "./json-bounds.ts";
export { excessClause, JSON_BOUNDS, jsonExcess, LARGE_JSON, MAX_JSON_DEPTH } from "./json-bounds.ts";
export type {
  LlmErrorCode,
  LlmEvent,
  LlmFailure,
  LlmRequest,
  LlmResponse,
  OutputFormat,
  ProviderTool,
  StopReason,
  ThinkingSetting,
  ToolChoice,
  ToolDefinition,
  Usage,
} from "./llm.ts";
export { addUsage, NO_USAGE } from "./llm.ts";
export { startAgent, step } from "./machine.ts";
export type { Digest, RecordedRun, Replay, StepTrace } from "./replay.ts";
export { replay, traceStep } from "./replay.ts";
export type { CompletedTool, ToolCall, ToolErrorCode, ToolExecution, ToolOutcome, ToolProgress } from "./tool.ts";
