import { randomUUIDv7 } from "node:crypto";
import type { ThreadEnd, ThreadInfo, ThreadVisibilityChange } from "@loom/api";
import { encodeRecord, type ThreadHeader } from "@loom/threads/records";
import type { Database } from "../../kit/database.ts";
import type { Precondition } from "../../kit/preconditions.ts";
import { ProblemError, wrongFields } from "../../kit/problem-reply.ts";
import { lockedOutOf, principalOf, type Subject } from "../../kit/subject.ts";
import { appendAll } from "./appends.ts";
import {
  type Changed,
  conflict,
  createThread,
  presentThread,
  purgeThread,
  replaceThread,
  threadById,
  update,
} from "./changes.ts";
import type { ChangeContext, CommitQueue } from "./commit-queue.ts";
import { readRecords } from "./incoming-records.ts";
import { type LiveHub, News } from "./live-hub.ts";
import type { ThreadTables } from "./migrations.ts";
import type { ThreadStore } from "./store.ts";
import { chunksFrom } from "./stored-records.ts";
import { endOf, type ThreadRow } from "./thread-row.ts";

export type ThreadService = {
  /** @throws ProblemError `precondition_required`, `version_mismatch`, `gone`, `thread_private`, `invalid_input` */
  put(subject: Subject, id: string, records: readonly string[], wish: PutWish): Promise<Changed>;
  append(id: string, version: number, records: readonly string[], copy: boolean): Promise<Changed>;
  /** A new thread of the subject's, of records that some session file was turned into. */
  create(subject: Subject, id: string, records: readonly string[]): Promise<ThreadInfo>;
  /** `version`: only if it is that one. */
  remove(id: string, options: { readonly purge: boolean; readonly version?: number | undefined }): Promise<TrashChange>;
  restore(id: string): Promise<TrashChange>;
  setVisibility(subject: Subject, id: string, wish: ThreadVisibilityChange): Promise<VisibilityChanged>;
  /** A new thread of the subject's with the first records of another one, in the same organization. */
  fork(subject: Subject, id: string, version?: number): Promise<ThreadInfo>;
};

type PutWish = { readonly precondition: Precondition | undefined; readonly copy: boolean };

/** `changed`: not where it was so before. */
export type TrashChange = { readonly end: ThreadEnd; readonly changed: boolean };

export type VisibilityChanged = { readonly before: ThreadRow; readonly after: ThreadRow };

export type ServiceParts = {
  readonly database: () => Promise<Database>;
  readonly queue: CommitQueue;
  readonly store: ThreadStore;
  readonly hub: LiveHub;
  readonly now: () => number;
};

export function createThreadService({ database, queue, store, hub, now }: ServiceParts): ThreadService {
  const time = (): string => new Date(now()).toISOString();
  const wishOf = (copy: boolean) => ({ withRecords: copy, now: now() });
  const changeRow = <Result>(id: string, work: (context: ChangeContext, row: ThreadRow) => Promise<Result>) =>
    queue.commit(async (context) => work(context, await presentThread(context.db, id)));

  async function create(subject: Subject, id: string, texts: readonly string[], copy = false): Promise<Changed> {
    const records = readRecords(texts, id);
    const thread = { id, owner: principalOf(subject), organization: organizationOf(subject) };
    return queue.commit((context) => createThread(context, thread, records, wishOf(copy)));
  }

  return {
    async put(subject, id, texts, { precondition, copy }) {
      if (precondition === undefined) {
        const detail =
          'Say what is put in place of what: send If-Match: "VERSION", or If-None-Match: * for a new thread.';
        throw new ProblemError("precondition_required", detail);
      }
      if (precondition.type === "nothing") return create(subject, id, texts, copy);
      const records = readRecords(texts, id);
      const { version } = precondition;
      const changed = await queue.commit((context) => replaceThread(context, id, version, records, wishOf(copy)));
      if (!changed.repeated) hub.tell(id);
      return changed;
    },
    async append(id, version, texts, copy) {
      const records = readRecords(texts);
      const changed = await queue.commitTogether(appendAll, { id, version, records, wish: wishOf(copy) });
      const { after, repeated } = changed;
      if (!repeated) hub.tell(id, new News({ generation: after.generation, version }, texts, after));
      return changed;
    },
    async create(subject, id, texts) {
      const { after } = await create(subject, id, texts);
      return store.infoOf(after);
    },
    async remove(id, { purge, version }) {
      const removed = await queue.commit(async (context): Promise<TrashChange> => {
        const row = await threadById(context.db, id);
        // Asked twice, it is gone all the same.
        if (purge && row?.purged === 1) return { end: endOf(row), changed: false };
        const present = await presentThread(context.db, id);
        if (version !== undefined && version !== present.version)
          throw await conflict(context.db, present, wishOf(false));
        if (purge) return { end: endOf(await purgeThread(context, present, time())), changed: true };
        if (present.deleted_at !== null) return { end: endOf(present), changed: false };
        const change = { deleted_at: time(), revision: present.revision + 1 };
        return { end: endOf(await update(context, present, change)), changed: true };
      });
      if (removed.changed) hub.tell(id);
      return removed;
    },
    restore: (id) =>
      changeRow(id, async (context, row) => {
        if (row.deleted_at === null) return { end: endOf(row), changed: false };
        const restored = await update(context, row, { deleted_at: null, revision: row.revision + 1 });
        return { end: endOf(restored), changed: true };
      }),
    async setVisibility(subject, id, wish) {
      const changed = await changeRow(id, async (context, before) => {
        const columns = { visibility: wish.visibility, ...placeFor(subject, before, wish) };
        const isSame = (Object.keys(columns) as (keyof typeof columns)[]).every(
          (name) => before[name] === columns[name],
        );
        if (isSame) return { before, after: before };
        return { before, after: await update(context, before, { ...columns, revision: before.revision + 1 }) };
      });
      hub.tell(id);
      return changed;
    },
    async fork(subject, id, version) {
      const source = await presentThread((await database()).tables<ThreadTables>(), id);
      if (source.organization !== null && !belongsTo(subject, source.organization)) {
        throw new ProblemError(
          "forbidden",
          "A thread can be forked only by members of the organization that it is in.",
        );
      }
      const upTo = version ?? source.version;
      if (upTo > source.version) {
        throw wrongFields([{ field: "version", message: `is more than ${source.version}, which the thread has` }]);
      }
      const texts = await firstRecords(source, upTo);
      const newId = `T-${randomUUIDv7()}` as const;
      const header: ThreadHeader = {
        ...(JSON.parse(texts[0] ?? "") as ThreadHeader),
        id: newId,
        createdAt: time(),
        forkedFrom: { id: source.id as ThreadHeader["id"], version: upTo },
      };
      const records = readRecords([encodeRecord(header).trimEnd(), ...texts.slice(1)], newId);
      const thread = { id: newId, owner: principalOf(subject), organization: source.organization };
      const { after } = await queue.commit(async (context) => {
        const made = await createThread(context, thread, records, wishOf(false));
        const outputs = context.db
          .selectFrom("thread_output")
          .select((select) => [select.val(made.after.key).as("thread_key"), "sha256"])
          .where("thread_key", "=", source.key);
        await context.db.insertInto("thread_output").columns(["thread_key", "sha256"]).expression(outputs).execute();
        // What was in the trash when it was copied is not there as a copy.
        const isDeleted = made.after.deleted_at !== null;
        return isDeleted ? { ...made, after: await update(context, made.after, { deleted_at: null }) } : made;
      });
      return store.infoOf(after);
    },
  };

  async function firstRecords(source: ThreadRow, count: number): Promise<string[]> {
    const db = (await database()).tables<ThreadTables>();
    const texts: string[] = [];
    for await (const chunk of chunksFrom(db, source.key, 0)) {
      texts.push(...chunk.records.split("\n"));
      if (texts.length >= count) break;
    }
    return texts.slice(0, count);
  }
}

/** The organization that the subject acts for. */
export function organizationOf(subject: Subject): string | null {
  return subject.nodes.find(({ kind }) => kind === "organization")?.id ?? null;
}

function belongsTo(subject: Subject, organization: string): boolean {
  if (subject.type === "owner") return true;
  if (subject.type === "organization_key") return subject.organization === organization;
  if (subject.type !== "user" || lockedOutOf(subject).includes(organization)) return false;
  return subject.organizations.some(({ id }) => id === organization);
}

/** The organization and the team that a thread is to be seen in. @throws ProblemError where the subject is in neither. */
function placeFor(
  subject: Subject,
  { organization: now, team: teamNow }: ThreadRow,
  { visibility, organization = now ?? undefined, team = teamNow ?? undefined }: ThreadVisibilityChange,
): Pick<ThreadRow, "organization" | "team"> {
  if (organization !== undefined && organization !== now && !belongsTo(subject, organization)) {
    throw wrongFields([{ field: "organization", message: "is none that you are a member of" }]);
  }
  if (visibility === "organization" && organization === undefined) {
    throw wrongFields([{ field: "organization", message: "is needed: the thread is in none" }]);
  }
  if (visibility !== "team") return { organization: organization ?? null, team: null };
  if (team === undefined) throw wrongFields([{ field: "team", message: "is needed for this visibility" }]);
  const known =
    subject.type === "user"
      ? subject.teams.find(({ id, organization }) => id === team && belongsTo(subject, organization))
      : undefined;
  if (known === undefined && subject.type !== "owner") {
    throw wrongFields([{ field: "team", message: "is none that you are in" }]);
  }
  return { organization: known?.organization ?? organization ?? null, team };
}
