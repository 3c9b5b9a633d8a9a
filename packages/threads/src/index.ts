export type { LoadedThread } from "./conversation.ts";
export { loadThread } from "./conversation.ts";
export type { ThreadErrorCode } from "./errors.ts";
export { ThreadError } from "./errors.ts";
export type {
  CommitRecord,
  EventRecord,
  RunRecord,
  ThreadHeader,
  ThreadRecord,
  TitleRecord,
  UsageRecord,
  UsageTotals,
} from "./record.ts";
export { stepDigest } from "./step-digest.ts";
export type { OpenedThread, ThreadStore, ThreadStoreOptions } from "./thread-store.ts";
export { createThreadStore } from "./thread-store.ts";
export type { ThreadSummary } from "./thread-summary.ts";
export type { ThreadWriter } from "./thread-writer.ts";
export { addResponse, NO_TOTALS } from "./usage-totals.ts";
