import type { ThreadId, Usage } from "@loom/core";

/**
 * A thread on the wire is the list of its records: each is one line of the thread's file, as text, so that its bytes are
 * the same everywhere. The thread's version is the number of its records. Its digest is a chain over them:
 * `d(0) = ""`, `d(i) = sha256hex(d(i-1) + "\n" + record(i))`; two copies with the same digest at a version are alike up to there.
 */
export type ThreadRecords = {
  readonly records: readonly string[];
  /** Of the whole thread, which may have more records than these. */
  readonly version: number;
};

/** Largest body that brings records; a longer thread is put with its beginning and then appended to. */
export const MAX_RECORDS_BODY_BYTES = 32 * 1024 * 1024;
/** Longest record, in bytes of UTF-8: in a body, where quotes and backslashes are two bytes each, there is room for one. */
export const MAX_RECORD_BYTES = 15 * 1024 * 1024;
/** Most records in one request or answer. */
export const MAX_RECORDS = 10_000;
/** Longest of the outputs that records refer to, in bytes. */
export const MAX_OUTPUT_BYTES = 32 * 1024 * 1024;
/** Most messages, threads or hits in one answer. */
export const MAX_THREAD_PAGE = 100;

export type ThreadVisibility = "private" | "team" | "organization" | "public";

export const THREAD_VISIBILITIES = [
  "private",
  "team",
  "organization",
  "public",
] as const satisfies readonly ThreadVisibility[];

/** Where a thread's repository stood at first and where it stands now. What is absent is not known. */
export type ThreadRepository = {
  readonly branch?: string;
  readonly remote?: string;
  readonly firstCommit?: string;
  readonly commit?: string;
  readonly dirtyAtStart?: boolean;
  readonly dirty?: boolean;
};

export type ThreadTotals = {
  readonly usage: Usage;
  readonly costMicroUsd: number;
  readonly requests: number;
  readonly unpricedRequests: number;
};

/** All that is known of a thread beside what was said in it. Times are RFC 3339. */
export type ThreadInfo = {
  readonly id: ThreadId;
  readonly version: number;
  readonly digest: string;
  /** Whose it is. Never changes. */
  readonly owner: string;
  readonly organization: string | null;
  readonly team: string | null;
  /** Who may see it now. */
  readonly visibility: ThreadVisibility;
  /**
   * What its records ask for. A narrower one is in force at once; for a wider one `POST /api/threads/{id}/visibility` has
   * to be asked, since not everybody may.
   */
  readonly wantedVisibility: ThreadVisibility;
  /** Until when people of the support may read it. */
  readonly sharedWithSupportUntil: string | null;
  /** There is a link by which anybody can read it. */
  readonly shared: boolean;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string | null;
  readonly workspace: string;
  readonly loomVersion: string;
  readonly forkedFrom: { readonly id: ThreadId; readonly version: number } | null;
  readonly title: string;
  readonly named: boolean;
  readonly tags: readonly string[];
  readonly pinned: boolean;
  readonly models: readonly string[];
  readonly turns: number;
  readonly totals: ThreadTotals;
  readonly git: ThreadRepository;
  /** Size of its records. */
  readonly bytes: number;
};

export type ThreadList = { readonly threads: readonly ThreadInfo[]; readonly nextCursor: string | null };

/** Where a thread ends now. */
export type ThreadEnd = { readonly version: number; readonly digest: string };

/** The digest up to record `at`; `null` where the thread has fewer records. */
export type ThreadDigest = { readonly at: number; readonly digest: string | null; readonly version: number };

/** What has become of one thread since a cursor. `purged`: its content is gone for good, and it can not be made again. */
export type ThreadChange = ThreadEnd & {
  readonly id: ThreadId;
  readonly deleted: boolean;
  readonly purged: boolean;
};

/** Changes of the asker's own threads, oldest first, each thread once. */
export type ThreadChanges = {
  readonly changes: readonly ThreadChange[];
  /** For the next question. */
  readonly cursor: string;
  readonly more: boolean;
  /**
   * The server has forgotten something that it had told behind this cursor: it was set back to an older copy. Ask again
   * without `since`, compare all threads, and append what is missing.
   */
  readonly rewound: boolean;
};

/** Extension members of the problem document `version_mismatch` (412) of a thread. */
export type ThreadConflict = ThreadEnd & {
  readonly thread: ThreadInfo;
  /** With `?copy=records`: the first records, at most 8 MiB; the others are at `/records`. */
  readonly records?: readonly string[];
};

/** One message of the conversation, for whoever shows it. */
export type ThreadMessage = {
  /** From 0. */
  readonly index: number;
  /** Number of the record that it is in. */
  readonly record: number;
  /** Which input of the person it belongs to, from 1. */
  readonly turn: number;
  readonly at: string;
} & (
  | { readonly role: "user"; readonly content: readonly unknown[] }
  | { readonly role: "assistant"; readonly content: readonly unknown[]; readonly model: string }
  /** A long text is cut; `outputs` has the whole of it. */
  | {
      readonly role: "tool";
      readonly callId: string;
      readonly text: string;
      readonly isError: boolean;
      readonly outputs: readonly string[];
    }
  | { readonly role: "commit"; readonly sha: string; readonly message: string }
);

export type ThreadMessages = {
  readonly messages: readonly ThreadMessage[];
  /** How many there are. */
  readonly total: number;
  readonly version: number;
};

export type ThreadVisibilityChange = {
  readonly visibility: ThreadVisibility;
  /** The asker's, where it is to belong to another than now. */
  readonly organization?: string;
  /** Needed for `team`. */
  readonly team?: string;
};

/** The only answer that holds the token. */
export type ThreadShare = { readonly token: string; readonly path: string; readonly expiresAt: string | null };

export type SupportAccess = {
  readonly thread: ThreadId;
  readonly state: "requested" | "approved" | "revoked" | "expired" | "none";
  readonly requestedBy: string | null;
  readonly requestedAt: string | null;
  readonly reason: string | null;
  readonly approvedAt: string | null;
  readonly expiresAt: string | null;
};

/** A place where something was found. `highlights` are UTF-16 offsets into the snippet's text. */
export type ThreadHit = {
  readonly thread: ThreadId;
  readonly title: string;
  readonly workspace: string;
  readonly owner: string;
  readonly role: "user" | "assistant" | "tool" | "title" | "commit";
  /** Which input of the person it belongs to, from 1; 0 for what belongs to none. */
  readonly turn: number;
  /** Number of the record that it is in; 0 for none. */
  readonly record: number;
  readonly at: string;
  /** The higher the better; comparable within one question. `null` for commits, which come first. */
  readonly score: number | null;
  readonly snippet: { readonly text: string; readonly highlights: readonly (readonly [number, number])[] };
};

export type ThreadHits = {
  readonly hits: readonly ThreadHit[];
  readonly nextCursor: string | null;
  /** Not everything that was saved can be found yet. */
  readonly indexing: boolean;
};

export type ThreadExportFormat = "json" | "markdown" | "html";
export const THREAD_EXPORT_FORMATS = ["json", "markdown", "html"] as const satisfies readonly ThreadExportFormat[];

export type ThreadImportFormat = "loom" | "claude-code" | "codex" | "opencode";
export const THREAD_IMPORT_FORMATS = [
  "loom",
  "claude-code",
  "codex",
  "opencode",
] as const satisfies readonly ThreadImportFormat[];
