import type { AgentEvent, AgentSettings, StepTrace, ThreadId, Usage } from "@loom/core";

/**
 * Version of the file format. A file of a later version is refused, not guessed at. Since 2, long tool outputs are kept
 * in files of their own; a thread that began with 1 goes on without that, so that an older Loom still reads it.
 */
export const THREAD_FORMAT = 2;

/** First line of every thread. */
export type ThreadHeader = {
  readonly type: "thread";
  /** 1 to `THREAD_FORMAT`. */
  readonly v: number;
  readonly id: ThreadId;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  /** Absolute path. */
  readonly workspace: string;
  readonly loomVersion: string;
  /** What this thread is a copy of: all records of that thread up to and with number `version`. */
  readonly forkedFrom?: { readonly id: ThreadId; readonly version: number };
  /** It was begun to stay on this machine: from its first line on, so that there is no moment at which it may leave. */
  readonly private?: boolean;
};

/**
 * A process starts to drive the thread. The run begins with the conversation that the run before it left behind (calls
 * that were open are answered as interrupted); `messages` is its length, so that a damaged history is noticed. Of a very
 * long one only the end is gone on with: the first `skipped` messages are left out (`asWindow`).
 */
export type RunRecord = {
  readonly type: "run";
  readonly at: string;
  readonly settings: AgentSettings;
  readonly seed: number;
  readonly messages: number;
  readonly skipped?: number;
};

/** One event of the machine and what came of it. Merged deltas and progress have no `trace`. */
export type EventRecord = {
  readonly type: "event";
  readonly at: string;
  readonly event: AgentEvent;
  readonly trace?: StepTrace;
};

export type TitleRecord = { readonly type: "title"; readonly at: string; readonly title: string };

/** A commit that was made of the agent's changes. */
export type CommitRecord = {
  readonly type: "commit";
  readonly at: string;
  readonly sha: string;
  readonly message: string;
};

/** Who may see a thread once it is on a server. */
export type Visibility = "private" | "team" | "organization" | "public";

export const VISIBILITIES = ["private", "team", "organization", "public"] as const satisfies readonly Visibility[];

export function isVisibility(text: string): text is Visibility {
  return VISIBILITIES.some((level) => level === text);
}

/** What a person says of a thread; only what changes. The newest word on each counts. */
export type ThreadMetadata = {
  readonly tags?: readonly string[];
  readonly pinned?: boolean;
  readonly visibility?: Visibility;
  /** The thread never leaves this machine, whatever its visibility is. */
  readonly private?: boolean;
  /** It is in the trash: shown nowhere, and removed by the next clean-up that finds it there long enough. */
  readonly deleted?: boolean;
};

export type MetadataRecord = ThreadMetadata & { readonly type: "metadata"; readonly at: string };

/** Where the workspace's repository stood. What is absent is not known, or not there. */
export type GitFacts = {
  readonly branch?: string;
  /** Normalised: `host/path`, without user, password and `.git`. */
  readonly remote?: string;
  /** 40 or 64 hexadecimal digits. */
  readonly commit?: string;
  /** Tracked files differ from the commit. */
  readonly dirty?: boolean;
};

/** Written when a session begins and when it ends. */
export type GitRecord = GitFacts & { readonly type: "git"; readonly at: string };

/** What the thread has used up to here, in all its runs. */
export type UsageTotals = {
  readonly usage: Usage;
  /** Millionths of a US dollar, of the requests whose price is known. */
  readonly costMicroUsd: number;
  readonly requests: number;
  /** Requests among them whose price nobody knows. */
  readonly unpricedRequests: number;
};

export type UsageRecord = { readonly type: "usage"; readonly at: string; readonly totals: UsageTotals };

/** One line of a thread's file. */
export type ThreadRecord =
  | ThreadHeader
  | RunRecord
  | EventRecord
  | TitleRecord
  | MetadataRecord
  | GitRecord
  | CommitRecord
  | UsageRecord;

/** One line of JSON (RFC 8259), newline included. A record counts only with its newline. */
export function encodeRecord(record: ThreadRecord): string {
  return `${JSON.stringify(record)}\n`;
}

const KNOWN = new Set<string>([
  "thread",
  "run",
  "event",
  "title",
  "metadata",
  "git",
  "commit",
  "usage",
] satisfies ThreadRecord["type"][]);

/**
 * The record of one line; `"unknown"` for a kind that a later version may have added, `undefined` for text that is no
 * record at all. Loom wrote the file, so beyond that it is trusted.
 */
export function decodeRecord(line: string): ThreadRecord | "unknown" | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isObject(value) || typeof value.type !== "string") return undefined;
  if (!KNOWN.has(value.type)) return "unknown";
  return hasItsParts(value) ? (value as ThreadRecord) : undefined;
}

function hasItsParts(record: Record<string, unknown>): boolean {
  switch (record.type) {
    case "thread":
      return typeof record.v === "number" && typeof record.id === "string" && typeof record.workspace === "string";
    case "run":
      return isObject(record.settings) && typeof record.seed === "number" && typeof record.messages === "number";
    case "event":
      return isObject(record.event) && typeof record.event.type === "string";
    case "title":
      return typeof record.title === "string";
    case "commit":
      return typeof record.sha === "string" && typeof record.message === "string";
    case "metadata":
      return record.tags === undefined || (Array.isArray(record.tags) && record.tags.every(isString));
    case "git":
      return true;
    default:
      return isObject(record.totals) && isObject(record.totals.usage);
  }
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
