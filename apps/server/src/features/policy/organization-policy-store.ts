import type { OrganizationPolicy } from "@loom/api";
import type { Kysely, Selectable } from "kysely";
import type { Database } from "../../kit/database.ts";
import type { PolicyTables } from "./migrations.ts";

export type StoredPolicy = OrganizationPolicy & { readonly organization: string };

/** Of one organization. */
export const MAX_POLICIES = 20;

export type PutOutcome =
  | { readonly type: "put"; readonly before: StoredPolicy | undefined; readonly policy: StoredPolicy }
  | { readonly type: "mismatch" | "exists" | "missing" | "full" };

/** What a change expects: `undefined`: nothing is there; `any`; or a version. */
export type Expected = number | "any" | undefined;

export type OrganizationPolicyStore = {
  revision(): Promise<number>;
  all(): Promise<readonly StoredPolicy[]>;
  put(policy: Omit<StoredPolicy, "version">, expected: Expected): Promise<PutOutcome>;
  remove(organization: string, name: string, expected: Exclude<Expected, undefined>): Promise<PutOutcome>;
  removeAllOf(organization: string): Promise<void>;
};

export function createOrganizationPolicyStore(database: () => Promise<Database>): OrganizationPolicyStore {
  const read = async () => (await database()).tables<PolicyTables>();
  const write = async <Result>(work: (transaction: Kysely<PolicyTables>) => Promise<Result>): Promise<Result> =>
    (await database()).write(work);
  return {
    async revision() {
      const row = await (await read()).selectFrom("organization_policy_revision").select("revision").executeTakeFirst();
      return row?.revision ?? 0;
    },
    all: async () =>
      (
        await (
          await read()
        )
          .selectFrom("organization_policy")
          .selectAll()
          .orderBy("organization")
          .orderBy("name")
          .execute()
      ).map(policyOf),
    put: ({ organization, name, text, updatedAt, updatedBy }, expected) =>
      write(async (db) => {
        const found = await find(db, organization, name);
        const problem = problemOf(found, expected);
        if (problem !== undefined) return { type: problem };
        const row = { text, version: (found?.version ?? 0) + 1, updated_at: updatedAt, updated_by: updatedBy };
        if (found === undefined) {
          const { count } = await db
            .selectFrom("organization_policy")
            .select((select) => select.fn.countAll<number>().as("count"))
            .where("organization", "=", organization)
            .executeTakeFirstOrThrow();
          if (Number(count) >= MAX_POLICIES) return { type: "full" };
          await db
            .insertInto("organization_policy")
            .values({ organization, name, ...row })
            .execute();
        } else await ofName(db.updateTable("organization_policy").set(row), organization, name).execute();
        await grow(db);
        return { type: "put", before: found, policy: policyOf({ organization, name, ...row }) };
      }),
    remove: (organization, name, expected) =>
      write(async (db) => {
        const found = await find(db, organization, name);
        const problem = problemOf(found, expected);
        if (found === undefined || problem !== undefined) return { type: problem ?? "missing" };
        await ofName(db.deleteFrom("organization_policy"), organization, name).execute();
        await grow(db);
        return { type: "put", before: found, policy: found };
      }),
    removeAllOf: (organization) =>
      write(async (db) => {
        const { numDeletedRows } = await db
          .deleteFrom("organization_policy")
          .where("organization", "=", organization)
          .executeTakeFirstOrThrow();
        if (numDeletedRows > 0n) await grow(db);
      }),
  };
}

function problemOf(found: StoredPolicy | undefined, expected: Expected): "mismatch" | "exists" | "missing" | undefined {
  if (expected === undefined) return found === undefined ? undefined : "exists";
  if (found === undefined) return "missing";
  return expected === "any" || expected === found.version ? undefined : "mismatch";
}

async function find(db: Kysely<PolicyTables>, organization: string, name: string): Promise<StoredPolicy | undefined> {
  const row = await ofName(db.selectFrom("organization_policy").selectAll(), organization, name).executeTakeFirst();
  return row && policyOf(row);
}

type Wherever<Query> = { where(column: "organization" | "name", operator: "=", value: string): Query };

function ofName<Query extends Wherever<Query>>(query: Query, organization: string, name: string): Query {
  return query.where("organization", "=", organization).where("name", "=", name);
}

async function grow(db: Kysely<PolicyTables>): Promise<void> {
  const { numUpdatedRows } = await db
    .updateTable("organization_policy_revision")
    .set((set) => ({ revision: set("revision", "+", 1) }))
    .where("id", "=", 1)
    .executeTakeFirst();
  if (numUpdatedRows === 0n)
    await db.insertInto("organization_policy_revision").values({ id: 1, revision: 1 }).execute();
}

function policyOf(row: Selectable<PolicyTables["organization_policy"]>): StoredPolicy {
  const { organization, name, text, version, updated_at: updatedAt, updated_by: updatedBy } = row;
  return { organization, name, text, version, updatedAt, updatedBy };
}
