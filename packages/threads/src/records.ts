// What a thread's records say, without a disk: for whoever keeps copies of threads elsewhere.
export { readSession } from "./foreign/read-session.ts";
export { SessionFileError } from "./foreign/session-file.ts";
export type { GitRecord, ThreadHeader, ThreadRecord, Visibility } from "./record.ts";
export { decodeRecord, encodeRecord, THREAD_FORMAT, VISIBILITIES } from "./record.ts";
export type { SearchRole } from "./searchable-text.ts";
export { MAX_TOOL_UNITS, searchableText } from "./searchable-text.ts";
export type { OutputSource } from "./stored-outputs.ts";
export { outputsNamedIn, restoreOutputs } from "./stored-outputs.ts";
export type { Phrase, QueryPlan, Wanted } from "./text/query.ts";
export { planQuery, withBeginnings } from "./text/query.ts";
export type { Snippet } from "./text/snippet.ts";
export { snippetOf } from "./text/snippet.ts";
export { indexTerms, MAX_TERM_UNITS, readTerms } from "./text/terms.ts";
export type { ThreadFacts } from "./thread-facts.ts";
export { addToFacts, factsOf, factsText, titleFrom } from "./thread-facts.ts";
