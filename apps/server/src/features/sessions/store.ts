import type { ExpressionBuilder, Kysely, Selectable } from "kysely";
import type { Database } from "../../kit/database.ts";
import type { SessionKind } from "../../kit/subject.ts";
import type { SessionTables } from "./migrations.ts";

/** A session as it is kept. Times are RFC 3339. */
export type StoredSession = {
  readonly id: string;
  readonly hash: Uint8Array;
  readonly userId: string;
  readonly kind: SessionKind;
  readonly createdAt: string;
  readonly lastUsedAt: string;
  readonly expiresAt: string;
  readonly address: string;
  readonly device: string;
  readonly country: string | null;
  readonly impersonator: { readonly id: string; readonly name: string } | null;
  readonly endedAt: string | null;
  /** When its person proved last that it is him, by signing in or by a second factor; null: somebody else's doing. */
  readonly provenAt: string | null;
  /** Whether a second factor was given. */
  readonly strong: boolean;
};

/** What is live: not ended, used since `usedSince`, and not over at `now`. */
export type Life = { readonly usedSince: string; readonly now: string };

export type SessionStore = {
  add(session: StoredSession): Promise<void>;
  byHash(hash: Uint8Array): Promise<StoredSession | undefined>;
  byId(id: string): Promise<StoredSession | undefined>;
  /** The user's live ones, newest first, behind the id `after`. */
  live(userId: string, life: Life, page: { readonly after?: string; readonly limit: number }): Promise<StoredSession[]>;
  /** Gives what this call ended. Those in which somebody acts as the user are the user's, and so are those in which he acts as another. */
  end(
    which: { readonly id: string } | { readonly userId: string; readonly except?: string },
    at: string,
  ): Promise<readonly Uint8Array[]>;
  /** Hashes of what ended after `revision`, by whatever server, and the revision now. */
  endedSince(revision: number): Promise<{ readonly revision: number; readonly hashes: readonly Uint8Array[] }>;
  /** Id and time. */
  used(times: ReadonlyMap<string, string>): Promise<void>;
  /** Its person has given a second factor. */
  prove(id: string, at: string): Promise<void>;
  /** Removes what ended, or could not be used any more, before `before`. */
  purge(life: Life, before: string): Promise<void>;
};

/** Ends wait for each other, so that revisions grow; for nothing else. */
const LOCK = { lock: "sessions" };
const ALONE = { lock: null };

export function createSessionStore(database: () => Promise<Database>): SessionStore {
  const tables = async () => (await database()).tables<SessionTables>();
  return {
    async add(session) {
      const row = rowOf(session);
      await (await database()).write<SessionTables, unknown>(
        (db) => db.insertInto("session").values(row).execute(),
        ALONE,
      );
    },
    async byHash(hash) {
      const row = await (await tables())
        .selectFrom("session")
        .selectAll()
        .where("token_hash", "=", hash)
        .executeTakeFirst();
      return row && sessionOf(row);
    },
    async byId(id) {
      const row = await (await tables()).selectFrom("session").selectAll().where("id", "=", id).executeTakeFirst();
      return row && sessionOf(row);
    },
    async live(userId, life, { after, limit }) {
      const live = (await tables())
        .selectFrom("session")
        .selectAll()
        .where("user_id", "=", userId)
        .where("ended_at", "is", null)
        .where("last_used_at", ">", life.usedSince)
        .where("expires_at", ">", life.now);
      const rows = after === undefined ? live : live.where("id", "<", after);
      return (await rows.orderBy("id", "desc").limit(limit).execute()).map(sessionOf);
    },
    async end(which, at) {
      return (await database()).write<SessionTables, readonly Uint8Array[]>(async (db) => {
        const revision = (await newestRevision(db)) + 1;
        const ending = db
          .updateTable("session")
          .set({ ended_at: at, revision })
          .where("ended_at", "is", null)
          .returning("token_hash");
        const these = "id" in which ? ending.where("id", "=", which.id) : ending.where(concerns(which.userId));
        const others = "id" in which || which.except === undefined ? these : these.where("id", "!=", which.except);
        return (await others.execute()).map((row) => row.token_hash);
      }, LOCK);
    },
    async endedSince(revision) {
      const rows = await (await tables())
        .selectFrom("session")
        .select(["token_hash", "revision"])
        .where("revision", ">", revision)
        .execute();
      return {
        revision: rows.reduce((newest, row) => Math.max(newest, row.revision), revision),
        hashes: rows.map((row) => row.token_hash),
      };
    },
    async used(times) {
      await (await database()).write<SessionTables, void>(async (db) => {
        for (const [id, at] of times) {
          await db
            .updateTable("session")
            .set({ last_used_at: at })
            .where("id", "=", id)
            // Another server may have seen it later.
            .where("last_used_at", "<", at)
            .execute();
        }
      }, LOCK);
    },
    async prove(id, at) {
      await (await database()).write<SessionTables, unknown>(
        (db) => db.updateTable("session").set({ proven_at: at, strong: 1 }).where("id", "=", id).execute(),
        LOCK,
      );
    },
    async purge(life, before) {
      await (await database()).write<SessionTables, void>(async (db) => {
        // The row with the newest revision stays: revisions go on from it.
        const newest = await newestRevision(db);
        await db
          .deleteFrom("session")
          .where((where) =>
            where.or([
              where("ended_at", "<", before),
              where("expires_at", "<", before),
              where("last_used_at", "<", life.usedSince),
            ]),
          )
          .where((where) => where.or([where("revision", "=", 0), where("revision", "!=", newest)]))
          .execute();
      }, LOCK);
    },
  };
}

function concerns(userId: string) {
  return (where: ExpressionBuilder<SessionTables, "session">) =>
    where.or([where("user_id", "=", userId), where("impersonator_id", "=", userId)]);
}

async function newestRevision(db: Kysely<SessionTables>): Promise<number> {
  const row = await db
    .selectFrom("session")
    .select(({ fn }) => fn.max("revision").as("newest"))
    .executeTakeFirst();
  return row?.newest ?? 0;
}

function rowOf({ id, kind, address, device, country, impersonator, ...session }: StoredSession) {
  return {
    id,
    kind,
    address,
    device,
    country,
    token_hash: session.hash,
    user_id: session.userId,
    created_at: session.createdAt,
    last_used_at: session.lastUsedAt,
    expires_at: session.expiresAt,
    impersonator_id: impersonator?.id ?? null,
    impersonator_name: impersonator?.name ?? null,
    ended_at: session.endedAt,
    proven_at: session.provenAt,
    strong: session.strong ? 1 : 0,
    revision: 0,
  };
}

function sessionOf(row: Selectable<SessionTables["session"]>): StoredSession {
  const { id, kind, address, device, country } = row;
  const by = row.impersonator_id;
  return {
    id,
    kind,
    address,
    device,
    country,
    hash: row.token_hash,
    userId: row.user_id,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    expiresAt: row.expires_at,
    impersonator: by === null ? null : { id: by, name: row.impersonator_name ?? by },
    endedAt: row.ended_at,
    provenAt: row.proven_at,
    strong: row.strong === 1,
  };
}
