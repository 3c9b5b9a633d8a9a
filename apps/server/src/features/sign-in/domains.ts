import type { Kysely, Selectable } from "kysely";
import type { Database } from "../../kit/database.ts";
import { deliveredDomain } from "../../kit/mail-address.ts";
import type { SignInTables } from "./migrations.ts";

/** A mail domain that an organization has, and whom its people sign in with. */
export type MailDomain = {
  /** Lower case. */
  readonly domain: string;
  readonly organization: string;
  /** A provider's name. */
  readonly provider: string;
  /** With nobody else. */
  readonly forced: boolean;
  /** RFC 3339. */
  readonly createdAt: string;
};

export type Domains = {
  /** By the part behind the last `@`, in any case. Nothing where the organization is gone. */
  ofAddress(email: string): Promise<MailDomain | undefined>;
  list(options: { readonly after?: string | undefined; readonly limit: number }): Promise<readonly MailDomain[]>;
  put(domain: Omit<MailDomain, "createdAt">, now: string): Promise<MailDomain>;
  remove(domain: string): Promise<boolean>;
  /** Removes what organizations have said of their domains that cannot come back. */
  removeGone(): Promise<void>;
};

/** Whether organizations are there: deleted ones may come back, and count for nothing until then. */
export type OrganizationStates = {
  stateOf(id: string): Promise<"there" | "deleted" | "gone">;
};

/** Of two who say whose a domain is, the second sees what the first has said. */
export const LOCK = { lock: "mail_domains" };

export function createDomains(database: () => Promise<Database>, { stateOf }: OrganizationStates): Domains {
  const select = async () => (await database()).tables<SignInTables>().selectFrom("mail_domain").selectAll();
  return {
    async ofAddress(email) {
      const row = await (await select()).where("domain", "=", domainOf(email)).executeTakeFirst();
      return row === undefined || (await stateOf(row.organization_id)) !== "there" ? undefined : mailDomainOf(row);
    },
    async list({ after, limit }) {
      const all = (await select()).orderBy("domain").limit(limit);
      const rows = await (after === undefined ? all : all.where("domain", ">", after)).execute();
      return rows.map(mailDomainOf);
    },
    async put({ domain, organization, provider, forced }, now) {
      const set = { organization_id: organization, provider, forced: forced ? 1 : 0 };
      const row = await (await database()).write<SignInTables, SignInTables["mail_domain"]>(async (db) => {
        await claimsChanged(db, domain);
        return db
          .insertInto("mail_domain")
          .values({ domain, created_at: now, ...set })
          .onConflict((conflict) => conflict.column("domain").doUpdateSet(set))
          .returningAll()
          .executeTakeFirstOrThrow();
      }, LOCK);
      return mailDomainOf(row);
    },
    async remove(domain) {
      const { numDeletedRows } = await (await database()).write<SignInTables, { numDeletedRows: bigint }>(
        async (db) => {
          await claimsChanged(db, domain);
          return db.deleteFrom("mail_domain").where("domain", "=", domain).executeTakeFirstOrThrow();
        },
        LOCK,
      );
      return numDeletedRows > 0n;
    },
    async removeGone() {
      const db = (await database()).tables<SignInTables>();
      const rows = await db
        .selectFrom("mail_domain")
        .select("organization_id as id")
        .union(db.selectFrom("domain_claim").select("organization_id as id"))
        .execute();
      for (const { id } of rows) {
        if ((await stateOf(id)) === "gone") await removeDomainsOf(database, id);
      }
    },
  };
}

/** Removes what an organization has said of its domains. */
export async function removeDomainsOf(database: () => Promise<Database>, organization: string): Promise<void> {
  await (await database()).write<SignInTables, void>(async (db) => {
    for (const table of ["mail_domain", "domain_claim"] as const) {
      await db.deleteFrom(table).where("organization_id", "=", organization).execute();
    }
  }, LOCK);
}

/** Whoever has seen a claim on the domain before has not seen what holds now. */
async function claimsChanged(db: Kysely<SignInTables>, domain: string): Promise<void> {
  await db
    .updateTable("domain_claim")
    .set((where) => ({ version: where("version", "+", 1) }))
    .where("domain", "=", domain)
    .execute();
}

/** As mail is delivered by it; "" for none. */
export function domainOf(email: string): string {
  return deliveredDomain(email.slice(email.lastIndexOf("@") + 1));
}

function mailDomainOf(row: Selectable<SignInTables["mail_domain"]>): MailDomain {
  const { domain, organization_id: organization, provider, forced, created_at: createdAt } = row;
  return { domain, organization, provider, forced: forced === 1, createdAt };
}
