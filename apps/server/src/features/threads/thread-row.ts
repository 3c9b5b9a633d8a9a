import type { ThreadEnd, ThreadInfo, ThreadVisibility } from "@loom/api";
import type { ThreadId } from "@loom/core";
import type { ThreadFacts } from "@loom/threads/records";
import type { Insertable, Selectable } from "kysely";
import type { Resource } from "../../kit/policy.ts";
import type { ThreadTables } from "./migrations.ts";

export type ThreadRow = Selectable<ThreadTables["thread"]>;

/** All of them. */
export const THREAD_COLUMNS = [
  "id",
  "key",
  "owner",
  "organization",
  "team",
  "visibility",
  "support_until",
  "version",
  "digest",
  "bytes",
  "messages",
  "generation",
  "revision",
  "facts",
  "updated_at",
  "deleted_at",
  "purged",
  "workspace",
  "remote",
  "tags",
  "models",
  "pinned",
  "change",
] as const satisfies readonly (keyof ThreadRow)[];

/** The columns that follow from the facts. */
export function columnsOf(facts: ThreadFacts) {
  return {
    facts: JSON.stringify({ ...facts, commits: [] } satisfies ThreadFacts),
    updated_at: facts.updatedAt,
    workspace: facts.workspace,
    remote: facts.git.remote ?? null,
    tags: JSON.stringify(facts.tags),
    models: JSON.stringify(facts.models),
    pinned: Number(facts.pinned),
  } satisfies Partial<Insertable<ThreadTables["thread"]>>;
}

/** Without the commits. */
export function factsIn(row: Pick<ThreadRow, "facts">): ThreadFacts {
  return JSON.parse(row.facts);
}

/** `now`: RFC 3339. */
export function infoOf(row: ThreadRow & { readonly shared: number }, now: string): ThreadInfo {
  const { commits: _, private: __, visibility, version: ___, deletedAt: ____, forkedFrom, ...facts } = factsIn(row);
  return {
    ...facts,
    id: row.id as ThreadId,
    version: row.version,
    digest: row.digest,
    owner: row.owner,
    organization: row.organization,
    team: row.team,
    visibility: row.visibility as ThreadVisibility,
    wantedVisibility: visibility,
    sharedWithSupportUntil: isOpen(row, Date.parse(now)) ? row.support_until : null,
    shared: row.shared > 0,
    deletedAt: row.deleted_at,
    forkedFrom: forkedFrom ?? null,
    bytes: row.bytes,
  };
}

export function endOf({ version, digest }: ThreadRow): ThreadEnd {
  return { version, digest };
}

/** The columns that a decision about a thread depends on. */
export const ACCESS_COLUMNS = [
  "id",
  "owner",
  "organization",
  "team",
  "visibility",
  "support_until",
  "deleted_at",
  "purged",
] as const satisfies readonly (keyof ThreadRow)[];

export type ThreadAccess = Pick<ThreadRow, (typeof ACCESS_COLUMNS)[number]>;

/** What a decision about the thread may depend on. One in the trash is nobody's but its owner's. */
export function resourceOf(row: ThreadAccess, now: number): Resource {
  const isHere = row.deleted_at === null && row.purged === 0;
  return {
    type: "thread",
    id: row.id,
    owner: row.owner,
    ...(row.organization === null ? {} : { organization: row.organization }),
    ...(row.team === null ? {} : { team: row.team }),
    visibility: isHere ? (row.visibility as ThreadVisibility) : "private",
    sharedWithSupport: isHere && isOpen(row, now),
  };
}

function isOpen({ support_until: until }: Pick<ThreadRow, "support_until">, now: number): boolean {
  return until !== null && Date.parse(until) > now;
}

const WIDTHS: readonly ThreadVisibility[] = ["private", "team", "organization", "public"];

/** Whether fewer people see what is `a` than what is `b`. */
export function isNarrower(a: ThreadVisibility, b: ThreadVisibility): boolean {
  return WIDTHS.indexOf(a) < WIDTHS.indexOf(b);
}
