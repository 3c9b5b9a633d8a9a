import { type Kysely, type Selectable, sql } from "kysely";
import type { Database } from "../../kit/database.ts";
import { databaseClock } from "../../kit/database-clock.ts";
import type { Envelope } from "./envelope.ts";
import type { CredentialTables } from "./migrations.ts";
import type { Standing } from "./pool-member.ts";

/** A credential as it is kept. */
export type StoredCredential = Envelope & {
  readonly id: string;
  readonly provider: string;
  readonly label: string;
  readonly kind: "api_key" | "oauth";
  readonly weight: number;
  readonly fingerprint: string | null;
  readonly secretRevision: number;
  /** Of an access token, in Unix milliseconds. */
  readonly expiresAt: number | undefined;
  readonly standing: Standing;
  readonly createdAt: string;
  readonly revision: number;
};

export type Vault = { readonly revision: number; readonly keyId: string | undefined };

type Change = Partial<Pick<StoredCredential, "label" | "weight" | "standing">>;

/** Every change has a revision, which grows; whoever knows the last one knows everything. */
export type CredentialStore = {
  vault(): Promise<Vault>;
  load(): Promise<{ readonly vault: Vault; readonly credentials: readonly StoredCredential[] }>;
  find(idOrLabel: string): Promise<StoredCredential | undefined>;
  /** `other_key`: the vault has another master key than the new row. */
  add(credential: StoredCredential): Promise<"added" | "label_taken" | "other_key">;
  /** False where the label is taken or the row is gone. */
  change(id: string, change: Change): Promise<boolean>;
  /**
   * Only where nobody else has changed the row since `revision`. Gives its new revision. Without `waits` it fails where it
   * would have to wait for another process, and does not wait for the disk.
   */
  saveStanding(
    id: string,
    standing: Standing,
    options: { readonly revision: number; readonly waits: boolean },
  ): Promise<number | undefined>;
  /** Only over the secret `secretRevision`. Gives the row as it is now, changed or not. */
  saveSecret(
    id: string,
    secret: { readonly sealed: Uint8Array; readonly expiresAt: number | undefined },
    secretRevision: number,
  ): Promise<StoredCredential | undefined>;
  /**
   * Whether the refresh token of the secret `secretRevision` may be used now: of all servers by one at a time, until
   * `saveSecret` or `releaseRefresh`, and for `forMs` at most, by the database's clock. `held`: by another one, or there is
   * another secret; `gone`: there is no such credential any more.
   */
  claimRefresh(id: string, secretRevision: number, forMs: number): Promise<"claimed" | "held" | "gone">;
  releaseRefresh(id: string, secretRevision: number): Promise<void>;
  remove(id: string): Promise<void>;
  /** All rows or none. What `wrap` throws undoes everything. */
  rewrap(wrap: (vault: Vault, row: WrappedKey) => Uint8Array, keyId: string): Promise<number>;
  /** A secret of another feature. False where the vault has another master key. */
  putSecret(secret: StoredSecret): Promise<boolean>;
  secret(id: string): Promise<StoredSecret | undefined>;
  removeSecret(id: string): Promise<void>;
};

/** `provider` of a secret of another feature is its purpose. */
export type WrappedKey = Pick<StoredCredential, "id" | "provider" | "wrappedKey">;
export type StoredSecret = WrappedKey & Pick<StoredCredential, "keyId" | "sealed">;

type Tables = Kysely<CredentialTables>;

export function createCredentialStore(database: () => Promise<Database>): CredentialStore {
  const read = async (): Promise<Tables> => (await database()).tables<CredentialTables>();
  const write = async <Result>(work: (transaction: Tables) => Promise<Result>): Promise<Result> =>
    (await database()).write<CredentialTables, Result>(work);
  return {
    vault: async () => vaultIn(await read()),
    load: async () => {
      const db = await read();
      // First: what changes in between is read again.
      const vault = await vaultIn(db);
      const rows = await db.selectFrom("credential").selectAll().orderBy("created_at").orderBy("id").execute();
      return { vault, credentials: rows.map(credentialOf) };
    },
    async find(idOrLabel) {
      const rows = await (await read())
        .selectFrom("credential")
        .selectAll()
        .where((where) => where.or([where("id", "=", idOrLabel), where("label", "=", idOrLabel)]))
        .execute();
      const row = rows.find(({ id }) => id === idOrLabel) ?? rows[0];
      return row && credentialOf(row);
    },
    add: (credential) =>
      write(async (db) => {
        const { keyId } = await vaultIn(db);
        if (keyId !== undefined && keyId !== credential.keyId) return "other_key";
        if (await isTaken(db, credential.label, credential.id)) return "label_taken";
        const revision = await bump(db, credential.keyId);
        await db
          .insertInto("credential")
          .values(rowOf({ ...credential, revision }))
          .execute();
        return "added";
      }),
    change: (id, { label, weight, standing }) =>
      write(async (db) => {
        if (label !== undefined && (await isTaken(db, label, id))) return false;
        const revision = await bump(db);
        const { numUpdatedRows } = await db
          .updateTable("credential")
          .set({
            revision,
            ...(label === undefined ? {} : { label }),
            ...(weight === undefined ? {} : { weight }),
            ...(standing === undefined ? {} : columnsOf(standing)),
          })
          .where("id", "=", id)
          .executeTakeFirstOrThrow();
        return numUpdatedRows > 0n;
      }),
    async saveStanding(id, standing, { revision: known, waits }) {
      const work = async (db: Tables): Promise<number | undefined> => {
        const revision = await bump(db);
        const { numUpdatedRows } = await db
          .updateTable("credential")
          .set({ revision, ...columnsOf(standing) })
          .where("id", "=", id)
          .where("revision", "=", known)
          .executeTakeFirstOrThrow();
        return numUpdatedRows > 0n ? revision : undefined;
      };
      const db = await database();
      return waits ? db.write(work) : db.writeBehind(work);
    },
    saveSecret: (id, { sealed, expiresAt }, secretRevision) =>
      write(async (db) => {
        const revision = await bump(db);
        await db
          .updateTable("credential")
          .set({
            revision,
            sealed,
            expires_at: expiresAt ?? null,
            secret_revision: secretRevision + 1,
            refreshing_until: null,
          })
          .where("id", "=", id)
          .where("secret_revision", "=", secretRevision)
          .execute();
        const row = await db.selectFrom("credential").selectAll().where("id", "=", id).executeTakeFirst();
        return row && credentialOf(row);
      }),
    async claimRefresh(id, secretRevision, forMs) {
      const opened = await database();
      const now = databaseClock(opened);
      const until = sql<number>`${now} + cast(${forMs} as bigint)`;
      return opened.write<CredentialTables, "claimed" | "held" | "gone">(async (db) => {
        const { numUpdatedRows } = await db
          .updateTable("credential")
          .set({ refreshing_until: until })
          .where("id", "=", id)
          .where("secret_revision", "=", secretRevision)
          // One that is further away was written by a clock that has been set back since.
          .where(({ or, eb }) =>
            or([
              eb("refreshing_until", "is", null),
              eb("refreshing_until", "<=", now),
              eb("refreshing_until", ">", until),
            ]),
          )
          .executeTakeFirstOrThrow();
        if (numUpdatedRows > 0n) return "claimed";
        const row = await db.selectFrom("credential").select("id").where("id", "=", id).executeTakeFirst();
        return row === undefined ? "gone" : "held";
      });
    },
    async releaseRefresh(id, secretRevision) {
      await write((db) =>
        db
          .updateTable("credential")
          .set({ refreshing_until: null })
          .where("id", "=", id)
          .where("secret_revision", "=", secretRevision)
          .execute(),
      );
    },
    async remove(id) {
      await write(async (db) => {
        await bump(db);
        await db.deleteFrom("credential").where("id", "=", id).execute();
      });
    },
    rewrap: (wrap, keyId) =>
      write(async (db) => {
        const vault = await vaultIn(db);
        const rows = await db.selectFrom("credential").selectAll().execute();
        const revision = await bump(db, keyId);
        for (const row of rows) {
          const wrapped_key = wrap(vault, credentialOf(row));
          await db
            .updateTable("credential")
            .set({ wrapped_key, key_id: keyId, revision })
            .where("id", "=", row.id)
            .execute();
        }
        for (const { id, purpose, wrapped_key } of await db.selectFrom("sealed_secret").selectAll().execute()) {
          const rewrapped = wrap(vault, { id, provider: purpose, wrappedKey: wrapped_key });
          await db
            .updateTable("sealed_secret")
            .set({ wrapped_key: rewrapped, key_id: keyId })
            .where("id", "=", id)
            .execute();
        }
        return rows.length;
      }),
    putSecret: ({ id, provider, keyId, wrappedKey, sealed }) =>
      write(async (db) => {
        const known = (await vaultIn(db)).keyId;
        if (known !== undefined && known !== keyId) return false;
        if (known === undefined) await bump(db, keyId);
        const row = { id, purpose: provider, key_id: keyId, wrapped_key: wrappedKey, sealed };
        await db.insertInto("sealed_secret").values(row).execute();
        return true;
      }),
    async secret(id) {
      const row = await (await read()).selectFrom("sealed_secret").selectAll().where("id", "=", id).executeTakeFirst();
      if (row === undefined) return undefined;
      return { id, provider: row.purpose, keyId: row.key_id, wrappedKey: row.wrapped_key, sealed: row.sealed };
    },
    async removeSecret(id) {
      await write((db) => db.deleteFrom("sealed_secret").where("id", "=", id).execute());
    },
  };
}

async function vaultIn(db: Tables): Promise<Vault> {
  const { revision, key_id } = await db.selectFrom("credential_vault").selectAll().executeTakeFirstOrThrow();
  return { revision: Number(revision), keyId: key_id ?? undefined };
}

async function bump(db: Tables, keyId?: string): Promise<number> {
  const revision = (await vaultIn(db)).revision + 1;
  await db
    .updateTable("credential_vault")
    .set({ revision, ...(keyId === undefined ? {} : { key_id: keyId }) })
    .execute();
  return revision;
}

async function isTaken(db: Tables, label: string, id: string): Promise<boolean> {
  const row = await db
    .selectFrom("credential")
    .select("id")
    .where((where) => where.or([where("label", "=", label), where("id", "=", label)]))
    .where("id", "!=", id)
    .executeTakeFirst();
  return row !== undefined;
}

function columnsOf({ state, reason, since, until }: Standing) {
  return { state, reason: reason ?? null, since: since ?? null, until: until ?? null };
}

function rowOf(credential: StoredCredential): CredentialTables["credential"] {
  const { id, provider, label, kind, weight, fingerprint, sealed, revision } = credential;
  return {
    ...{ id, provider, label, kind, weight, fingerprint, sealed, revision },
    key_id: credential.keyId,
    wrapped_key: credential.wrappedKey,
    secret_revision: credential.secretRevision,
    expires_at: credential.expiresAt ?? null,
    refreshing_until: null,
    ...columnsOf(credential.standing),
    created_at: credential.createdAt,
  };
}

function credentialOf(row: Selectable<CredentialTables["credential"]>): StoredCredential {
  const { id, provider, label, weight, fingerprint, sealed } = row;
  const state = row.state === "disabled" || row.state === "cooling_down" ? row.state : "available";
  return {
    ...{ id, provider, label, weight, fingerprint, sealed },
    kind: row.kind === "oauth" ? "oauth" : "api_key",
    keyId: row.key_id,
    wrappedKey: row.wrapped_key,
    secretRevision: Number(row.secret_revision),
    expiresAt: numberOf(row.expires_at),
    standing: { state, reason: row.reason ?? undefined, since: numberOf(row.since), until: numberOf(row.until) },
    createdAt: row.created_at,
    revision: Number(row.revision),
  };
}

function numberOf(value: number | null): number | undefined {
  return value === null ? undefined : Number(value);
}
