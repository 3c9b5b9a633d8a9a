export type { Fault } from "./fault.ts";
export { fault } from "./fault.ts";
export type { AnsweredCall, DialectName, NormalizedRequest } from "./normalized-request.ts";
export type { Delivery, Reply, Script, ScriptedThinking, ScriptedToolCall, ScriptFunction } from "./reply.ts";
export { callTool, callTools, callToolWithText, fail, say } from "./reply.ts";
export type { RecordedRequest } from "./request-log.ts";
export type { ScriptedModel, ScriptedModelOptions } from "./scripted-model.ts";
export { startScriptedModel } from "./scripted-model.ts";
