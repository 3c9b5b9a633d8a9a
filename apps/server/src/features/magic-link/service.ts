import { createHash, randomBytes, randomUUIDv7 } from "node:crypto";
import type { Database } from "../../kit/database.ts";
import type { MagicLinkTables } from "./migrations.ts";

export const LINK_MINUTES = 10;
const TOKEN_SHAPE = /^[A-Za-z0-9_-]{43}$/;

/** Whoever has the link has shown that mail to this address reaches him. */
export type RedeemedLink = { readonly email: string; readonly redirectTo: string };

export type MagicLinkService = {
  /** A new link for an address; the one before is void. Gives the token, of which only the hash is kept. */
  mint(email: string, redirectTo: string): Promise<string>;
  /** Whether it would work now. Uses nothing up: mail scanners open links. */
  isGood(token: string): Promise<boolean>;
  /** Once, and within ten minutes. */
  redeem(token: string): Promise<RedeemedLink | undefined>;
  purge(): Promise<void>;
};

export function createMagicLinkService(options: {
  readonly database: () => Promise<Database>;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}): MagicLinkService {
  const { database, now = Date.now } = options;
  return {
    async mint(address, redirectTo) {
      const email = address.toLowerCase();
      const token = randomBytes(32).toString("base64url");
      const values = {
        id: `link-${randomUUIDv7()}`,
        email,
        token_hash: digest(token),
        redirect_to: redirectTo,
        expires_at: now() + LINK_MINUTES * 60_000,
      };
      await (await database()).write<MagicLinkTables, void>(async (db) => {
        await db.deleteFrom("magic_link").where("email", "=", email).execute();
        await db.insertInto("magic_link").values(values).execute();
      }, LOCK);
      return token;
    },
    async isGood(token) {
      if (!TOKEN_SHAPE.test(token)) return false;
      const row = await (await database())
        .tables<MagicLinkTables>()
        .selectFrom("magic_link")
        .select("expires_at")
        .where("token_hash", "=", digest(token))
        .executeTakeFirst();
      return row !== undefined && row.expires_at > now();
    },
    async redeem(token) {
      if (!TOKEN_SHAPE.test(token)) return undefined;
      return (await database()).write<MagicLinkTables, RedeemedLink | undefined>(async (db) => {
        const row = await db
          .selectFrom("magic_link")
          .selectAll()
          .where("token_hash", "=", digest(token))
          .executeTakeFirst();
        if (row === undefined) return undefined;
        await db.deleteFrom("magic_link").where("id", "=", row.id).execute();
        return row.expires_at > now() ? { email: row.email, redirectTo: row.redirect_to } : undefined;
      }, LOCK);
    },
    async purge() {
      await (await database()).write<MagicLinkTables, unknown>(
        (db) => db.deleteFrom("magic_link").where("expires_at", "<", now()).execute(),
        LOCK,
      );
    },
  };
}

const LOCK = { lock: "magic_link" };

function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
