import { randomBytes } from "node:crypto";
import type { DomainClaim } from "@loom/api";
import type { Kysely, Selectable } from "kysely";
import type { Database } from "../../kit/database.ts";
import { ProblemError, wrongFields } from "../../kit/problem-reply.ts";
import { LOCK, type OrganizationStates } from "./domains.ts";
import type { SignInTables } from "./migrations.ts";
import { isPublicMailDomain } from "./public-mail-domains.ts";
import { isDomain } from "./sign-in-config.ts";
import type { ReadTxtRecords } from "./txt-records.ts";

/** How long a claim waits for its record, milliseconds. */
const CLAIM_MS = 7 * 86_400_000;
/** Of one organization. */
const MAX_CLAIMS = 50;

type Tables = Kysely<SignInTables>;
type Row = Selectable<SignInTables["domain_claim"]>;
type Change = { readonly before: DomainClaim; readonly after: DomainClaim };

export type DomainClaims = {
  /** By domain. */
  list(
    organization: string,
    page: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<readonly DomainClaim[]>;
  /** @throws ProblemError, as all of these */
  get(organization: string, domain: string): Promise<DomainClaim>;
  /** `isNew`: not where the organization has claimed it before. */
  claim(organization: string, domain: string): Promise<{ readonly claim: DomainClaim; readonly isNew: boolean }>;
  /** Looks for the record. */
  prove(organization: string, domain: string): Promise<DomainClaim>;
  /** Whom the people of a domain that is proven sign in with. `provider`: null for whom they like. */
  rule(
    organization: string,
    domain: string,
    rule: { readonly provider?: string | null | undefined; readonly forced?: boolean | undefined },
    version: number | undefined,
  ): Promise<Change>;
  remove(organization: string, domain: string, version: number | undefined): Promise<DomainClaim>;
  removeExpired(): Promise<void>;
};

export type DomainClaimOptions = {
  readonly database: () => Promise<Database>;
  readonly readTxt: ReadTxtRecords;
  /** The mail domains that a provider is believed about, empty for all; nothing for one that is not set up. */
  readonly domainsOf: (provider: string) => readonly string[] | undefined;
  readonly organizations: OrganizationStates;
  readonly wall: () => number;
};

/** Which mail domains are whose: an organization says so, and shows it by a record that only who has the domain can make. */
export function createDomainClaims(options: DomainClaimOptions): DomainClaims {
  const { database, readTxt, domainsOf, organizations, wall } = options;
  const iso = (ms: number): string => new Date(ms).toISOString();
  const read = async (): Promise<Tables> => (await database()).tables<SignInTables>();
  const write = async <Result>(work: (db: Tables) => Promise<Result>) =>
    (await database()).write<SignInTables, Result>(work, LOCK);

  /** Claims that are over are not there. */
  const live = (db: Tables, organization: string) =>
    db
      .selectFrom("domain_claim")
      .leftJoin("mail_domain", (join) =>
        join
          .onRef("mail_domain.domain", "=", "domain_claim.domain")
          .onRef("mail_domain.organization_id", "=", "domain_claim.organization_id"),
      )
      .selectAll("domain_claim")
      .select(["mail_domain.provider as provider", "mail_domain.forced as forced"])
      .where("domain_claim.organization_id", "=", organization)
      .where((where) => where.or([where("proven_at", "is not", null), where("expires_at", ">", iso(wall()))]));

  async function find(db: Tables, organization: string, domain: string): Promise<DomainClaim> {
    const row = await live(db, organization).where("domain_claim.domain", "=", domain).executeTakeFirst();
    if (row !== undefined) return claimOf(row);
    throw new ProblemError(
      "not_found",
      `The organization has not claimed ${shown(domain)}, or too long ago: claim it.`,
    );
  }

  const holderOf = async (db: Tables, domain: string): Promise<string | undefined> =>
    (await db.selectFrom("mail_domain").select("organization_id").where("domain", "=", domain).executeTakeFirst())
      ?.organization_id;

  /** Whose a domain is without holding it any more. Asked before a `write`, which asks nobody else. */
  async function goneHolderOf(domain: string): Promise<string | undefined> {
    const holder = await holderOf(await read(), domain);
    return holder !== undefined && (await organizations.stateOf(holder)) !== "there" ? holder : undefined;
  }

  /** @throws ProblemError where it is another organization's that is not `gone`. */
  async function requireFree(db: Tables, organization: string, domain: string, gone?: string): Promise<void> {
    const holder = await holderOf(db, domain);
    if (holder === undefined || holder === organization || holder === gone) return;
    const detail = `${domain} belongs to another organization of this server: ask an administrator of it.`;
    throw new ProblemError("conflict", detail, {
      errors: [{ field: "domain", message: "belongs to another organization" }],
    });
  }

  return {
    async list(organization, { after, limit }) {
      const all = live(await read(), organization)
        .orderBy("domain_claim.domain")
        .limit(limit);
      const rows = await (after === undefined ? all : all.where("domain_claim.domain", ">", after)).execute();
      return rows.map(claimOf);
    },
    get: async (organization, domain) => find(await read(), organization, domain),
    async claim(organization, domain) {
      checkDomain(domain);
      const gone = await goneHolderOf(domain);
      return write(async (db) => {
        await requireFree(db, organization, domain, gone);
        const now = wall();
        await db
          .deleteFrom("domain_claim")
          .where("proven_at", "is", null)
          .where("expires_at", "<=", iso(now))
          .execute();
        const known = await live(db, organization).where("domain_claim.domain", "=", domain).executeTakeFirst();
        if (known !== undefined) return { claim: claimOf(known), isNew: false };
        const { count } = await db
          .selectFrom("domain_claim")
          .select(({ fn }) => fn.countAll<number>().as("count"))
          .where("organization_id", "=", organization)
          .executeTakeFirstOrThrow();
        if (Number(count) >= MAX_CLAIMS) {
          throw new ProblemError("conflict", `An organization has at most ${MAX_CLAIMS} domains: remove one first.`);
        }
        await db
          .insertInto("domain_claim")
          .values({
            organization_id: organization,
            domain,
            challenge: randomBytes(24).toString("base64url"),
            created_at: iso(now),
            expires_at: iso(now + CLAIM_MS),
            proven_at: null,
            version: 1,
          })
          .execute();
        return { claim: await find(db, organization, domain), isNew: true };
      });
    },
    async prove(organization, domain) {
      const claim = await find(await read(), organization, domain);
      const { name, value } = claim.record;
      const found = await readTxt(name).catch((error: unknown) => {
        const code = error instanceof Error && "code" in error ? String(error.code) : "an error";
        const detail = `The records of ${name} could not be asked for (${code}): try again in a while.`;
        throw new ProblemError("unavailable", detail, { retryable: true, retryAfterMs: 10_000 });
      });
      if (!found.includes(value)) {
        const others =
          found.length === 0 ? "there is none" : `${found.length === 1 ? "the one" : "those"} there say otherwise`;
        const detail = `${name} needs a TXT record that says ${value}; ${others}. A new record may take a while to be seen: try again then.`;
        throw new ProblemError("conflict", detail);
      }
      const gone = await goneHolderOf(domain);
      return write(async (db) => {
        await requireFree(db, organization, domain, gone);
        // It may have been taken back while the records were asked for.
        const { version } = await find(db, organization, domain);
        const now = iso(wall());
        if (gone !== undefined && gone !== organization) {
          // Should it come back, it has to prove it anew.
          for (const table of ["mail_domain", "domain_claim"] as const) {
            await db.deleteFrom(table).where("organization_id", "=", gone).where("domain", "=", domain).execute();
          }
        }
        await db
          .insertInto("mail_domain")
          .values({ domain, organization_id: organization, provider: "", forced: 0, created_at: now })
          .onConflict((conflict) => conflict.column("domain").doNothing())
          .execute();
        await set(db, organization, domain, { proven_at: now, version: version + 1 });
        return find(db, organization, domain);
      });
    },
    rule: (organization, domain, { provider, forced }, version) =>
      write(async (db) => {
        const before = await find(db, organization, domain);
        checkVersion(before, version);
        if (before.state !== "proven") {
          throw new ProblemError(
            "conflict",
            `${domain} is not proven yet: add its record, and have it looked at first.`,
          );
        }
        const wanted = {
          provider: provider === undefined ? before.provider : provider,
          forced: forced ?? before.forced,
        };
        checkRule(domain, wanted);
        await db
          .updateTable("mail_domain")
          .set({ provider: wanted.provider ?? "", forced: wanted.forced ? 1 : 0 })
          .where("domain", "=", domain)
          .where("organization_id", "=", organization)
          .execute();
        await set(db, organization, domain, { version: before.version + 1 });
        return { before, after: await find(db, organization, domain) };
      }),
    remove: (organization, domain, version) =>
      write(async (db) => {
        const claim = await find(db, organization, domain);
        checkVersion(claim, version);
        await db
          .deleteFrom("domain_claim")
          .where("organization_id", "=", organization)
          .where("domain", "=", domain)
          .execute();
        if (claim.state === "proven") {
          await db
            .deleteFrom("mail_domain")
            .where("organization_id", "=", organization)
            .where("domain", "=", domain)
            .execute();
        }
        return claim;
      }),
    async removeExpired() {
      await write((db) =>
        db.deleteFrom("domain_claim").where("proven_at", "is", null).where("expires_at", "<=", iso(wall())).execute(),
      );
    },
  };

  /** @throws ProblemError */
  function checkRule(domain: string, { provider, forced }: Pick<DomainClaim, "provider" | "forced">): void {
    if (provider === null) {
      if (!forced) return;
      throw wrongFields([{ field: "forced", message: "needs a provider that people are to sign in with" }]);
    }
    const believed = domainsOf(provider);
    if (believed === undefined)
      throw wrongFields([{ field: "provider", message: "is none that is set up on this server" }]);
    if (believed.length > 0 && !believed.includes(domain)) {
      throw wrongFields([
        { field: "provider", message: `is not believed about addresses of ${domain} on this server` },
      ]);
    }
  }
}

function checkDomain(domain: string): void {
  if (!isDomain(domain)) throw wrongFields([{ field: "domain", message: "must be a domain such as example.com" }]);
  if (!isPublicMailDomain(domain)) return;
  throw wrongFields([{ field: "domain", message: "is where anybody gets an address, and so nobody's own" }]);
}

function checkVersion({ version }: DomainClaim, expected: number | undefined): void {
  if (expected === undefined || expected === version) return;
  throw new ProblemError(
    "version_mismatch",
    `It has been changed meanwhile and is at version ${version}: look at it again.`,
  );
}

async function set(
  db: Tables,
  organization: string,
  domain: string,
  change: Partial<Pick<Row, "proven_at" | "version">>,
): Promise<void> {
  await db
    .updateTable("domain_claim")
    .set(change)
    .where("organization_id", "=", organization)
    .where("domain", "=", domain)
    .execute();
}

/** One that an administrator of the server has given to another organization since is only claimed again. */
function claimOf(row: Row & { readonly provider: string | null; readonly forced: number | null }): DomainClaim {
  const { domain, organization_id: organization, challenge, created_at: createdAt, expires_at, version } = row;
  const isProven = row.proven_at !== null && row.provider !== null;
  return {
    domain,
    organization,
    state: isProven ? "proven" : "claimed",
    record: { name: `_loom-challenge.${domain}`, type: "TXT", value: `loom-challenge=${challenge}` },
    createdAt,
    expiresAt: isProven ? null : expires_at,
    provenAt: isProven ? row.proven_at : null,
    provider: isProven ? row.provider || null : null,
    forced: isProven && row.forced === 1,
    version,
  };
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
