import type { Database } from "../../kit/database.ts";
import type { SignInTables } from "./migrations.ts";

export type Flow = {
  readonly stateHash: Uint8Array;
  readonly browserHash: Uint8Array;
  readonly provider: string;
  readonly redirectTo: string;
  /** RFC 3339. */
  readonly expiresAt: string;
};

export type FlowStore = {
  add(flow: Flow): Promise<void>;
  /** Gives it once, to the browser and for the provider that it is for. */
  take(which: Pick<Flow, "stateHash" | "browserHash" | "provider">): Promise<Flow | undefined>;
  removeExpired(now: string): Promise<void>;
};

/** Each statement makes sense by itself. */
const ALONE = { lock: null };

export function createFlowStore(database: () => Promise<Database>): FlowStore {
  return {
    async add({ stateHash, browserHash, provider, redirectTo, expiresAt }) {
      const row = {
        state_hash: stateHash,
        browser_hash: browserHash,
        provider,
        redirect_to: redirectTo,
        expires_at: expiresAt,
      };
      await (await database()).write<SignInTables, unknown>(
        (db) => db.insertInto("sign_in_flow").values(row).execute(),
        ALONE,
      );
    },
    async take({ stateHash, browserHash, provider }) {
      const row = await (await database()).write<SignInTables, SignInTables["sign_in_flow"] | undefined>(
        (db) =>
          db
            .deleteFrom("sign_in_flow")
            .where("state_hash", "=", stateHash)
            .where("browser_hash", "=", browserHash)
            .where("provider", "=", provider)
            .returningAll()
            .executeTakeFirst(),
        ALONE,
      );
      return row && { stateHash, browserHash, provider, redirectTo: row.redirect_to, expiresAt: row.expires_at };
    },
    async removeExpired(now) {
      await (await database()).write<SignInTables, unknown>(
        (db) => db.deleteFrom("sign_in_flow").where("expires_at", "<", now).execute(),
        ALONE,
      );
    },
  };
}
