import { timingSafeEqual } from "node:crypto";
import type { Kysely, Selectable } from "kysely";
import type { Database } from "../../kit/database.ts";
import type { SecondFactorTables } from "./migrations.ts";

export type StoredFactor = Selectable<SecondFactorTables["factor"]>;
export type PendingSignIn = Selectable<SecondFactorTables["pending_sign_in"]>;
export type StoredRecoveryCode = Selectable<SecondFactorTables["recovery_code"]>;

type Tables = Kysely<SecondFactorTables>;

export type SecondFactorStore = {
  /** The confirmed ones, oldest first. */
  factors(userId: string): Promise<readonly StoredFactor[]>;
  factor(id: string): Promise<StoredFactor | undefined>;
  add(factor: StoredFactor): Promise<void>;
  /** Marks the step as used; with `confirmedAt`, the factor as good, too. False where it, or a later one, was used before. */
  useStep(id: string, step: number, times: { readonly at: string; readonly confirms: boolean }): Promise<boolean>;
  /** With the last one, the recovery codes go. False where it was not there. */
  remove(id: string): Promise<boolean>;
  /** Those that nobody confirmed since `before`, of one user or of all. Gives their ids. */
  removeUnconfirmed(before: string, userId?: string): Promise<readonly string[]>;
  /** In place of those before. */
  putRecoveryCodes(userId: string, codes: readonly StoredRecoveryCode[]): Promise<void>;
  recoveryCodes(userId: string): Promise<readonly StoredRecoveryCode[]>;
  /** Once: `false` for the second of two. */
  useRecoveryCode(id: string): Promise<boolean>;
  addPending(pending: PendingSignIn): Promise<void>;
  pending(hash: Uint8Array): Promise<PendingSignIn | undefined>;
  /** Once: `false` for the second of two. */
  takePending(hash: Uint8Array): Promise<boolean>;
  removeExpired(now: number): Promise<void>;
};

const ALONE = { lock: null };
/** One person's factors are changed one after the other. */
const LOCK = { lock: "second_factor" };

export function createSecondFactorStore(database: () => Promise<Database>): SecondFactorStore {
  const read = async (): Promise<Tables> => (await database()).tables<SecondFactorTables>();
  const write = async <Result>(work: (db: Tables) => Promise<Result>, lock: typeof LOCK | typeof ALONE = ALONE) =>
    (await database()).write<SecondFactorTables, Result>(work, lock);

  return {
    factors: async (userId) =>
      (await read())
        .selectFrom("factor")
        .selectAll()
        .where("user_id", "=", userId)
        .where("confirmed_at", "is not", null)
        .orderBy("id")
        .execute(),
    factor: async (id) => (await read()).selectFrom("factor").selectAll().where("id", "=", id).executeTakeFirst(),
    async add(factor) {
      await write((db) => db.insertInto("factor").values(factor).execute());
    },
    useStep: (id, step, { at, confirms }) =>
      write(async (db) => {
        const { numUpdatedRows } = await db
          .updateTable("factor")
          .set({ last_step: step, last_used_at: at, ...(confirms ? { confirmed_at: at } : {}) })
          .where("id", "=", id)
          .where("last_step", "<", step)
          .executeTakeFirstOrThrow();
        return numUpdatedRows > 0n;
      }),
    remove: (id) =>
      write(async (db) => {
        const row = await db.deleteFrom("factor").where("id", "=", id).returning("user_id").executeTakeFirst();
        if (row === undefined) return false;
        const left = await db
          .selectFrom("factor")
          .select("id")
          .where("user_id", "=", row.user_id)
          .where("confirmed_at", "is not", null)
          .executeTakeFirst();
        if (left === undefined) await db.deleteFrom("recovery_code").where("user_id", "=", row.user_id).execute();
        return true;
      }, LOCK),
    removeUnconfirmed: (before, userId) =>
      write(async (db) => {
        const old = db.deleteFrom("factor").where("confirmed_at", "is", null).where("created_at", "<=", before);
        const these = userId === undefined ? old : old.where("user_id", "=", userId);
        return (await these.returning("id").execute()).map(({ id }) => id);
      }),
    async putRecoveryCodes(userId, codes) {
      await write(async (db) => {
        await db.deleteFrom("recovery_code").where("user_id", "=", userId).execute();
        if (codes.length > 0)
          await db
            .insertInto("recovery_code")
            .values([...codes])
            .execute();
      }, LOCK);
    },
    recoveryCodes: async (userId) =>
      (await read()).selectFrom("recovery_code").selectAll().where("user_id", "=", userId).execute(),
    useRecoveryCode: (id) =>
      write(async (db) => {
        const { numDeletedRows } = await db.deleteFrom("recovery_code").where("id", "=", id).executeTakeFirstOrThrow();
        return numDeletedRows > 0n;
      }),
    async addPending(pending) {
      await write((db) => db.insertInto("pending_sign_in").values(pending).execute());
    },
    async pending(hash) {
      const row = await (await read())
        .selectFrom("pending_sign_in")
        .selectAll()
        .where("token_hash", "=", hash)
        .executeTakeFirst();
      return row !== undefined && timingSafeEqual(row.token_hash, hash) ? row : undefined;
    },
    takePending: (hash) =>
      write(async (db) => {
        const { numDeletedRows } = await db
          .deleteFrom("pending_sign_in")
          .where("token_hash", "=", hash)
          .executeTakeFirstOrThrow();
        return numDeletedRows > 0n;
      }),
    async removeExpired(now) {
      await write((db) => db.deleteFrom("pending_sign_in").where("expires_at", "<=", now).execute());
    },
  };
}
