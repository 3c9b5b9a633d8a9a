export type { LoadedThread } from "./conversation.ts";
export { loadThread } from "./conversation.ts";
export type { ThreadErrorCode } from "./errors.ts";
export { ThreadError } from "./errors.ts";
export { normaliseRemote } from "./git-remote.ts";
export type {
  CommitRecord,
  EventRecord,
  GitFacts,
  GitRecord,
  MetadataRecord,
  RunRecord,
  ThreadHeader,
  ThreadMetadata,
  ThreadRecord,
  TitleRecord,
  UsageRecord,
  UsageTotals,
  Visibility,
} from "./record.ts";
export { isVisibility, VISIBILITIES } from "./record.ts";
export type { ResumedThread } from "./resume.ts";
export { stepDigest } from "./step-digest.ts";
export type { ThreadCommit, ThreadFacts, ThreadGit } from "./thread-facts.ts";
export { titleFrom } from "./thread-facts.ts";
export type { OpenedThread, ThreadChange, ThreadStore, ThreadStoreOptions } from "./thread-store.ts";
export { createThreadStore } from "./thread-store.ts";
export type { ThreadSummary } from "./thread-summary.ts";
export type { ThreadWriter } from "./thread-writer.ts";
export { addResponse, NO_TOTALS } from "./usage-totals.ts";
