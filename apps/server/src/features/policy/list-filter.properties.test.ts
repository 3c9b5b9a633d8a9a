import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { engines, testDatabase } from "../../kit/engines.testing.ts";
import type { ListFilter } from "../../kit/list-filter.ts";
import type { Migration } from "../../kit/migrations.ts";
import type { Resource, ResourceType } from "../../kit/policy.ts";
import type { Subject } from "../../kit/subject.ts";
import { checkOrganizationPolicy, parseOrganizationPolicy } from "./organization-policy.ts";
import { book } from "./policy.testing.ts";
import {
  anyOwnPolicies,
  anySubject,
  anyThing,
  anyType,
  decidedWith,
  FORBIDS,
  ORGANIZATIONS,
} from "./worlds.testing.ts";

type Tables = {
  thing: {
    id: string;
    owner: string | null;
    organization: string | null;
    team: string | null;
    visibility: string;
    shared: number;
  };
};

const migrations: readonly Migration[] = [
  {
    name: "0001_thing",
    async up(db) {
      await db.schema
        .createTable("thing")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("owner", "text")
        .addColumn("organization", "text")
        .addColumn("team", "text")
        .addColumn("visibility", "text", (column) => column.notNull())
        .addColumn("shared", "integer", (column) => column.notNull())
        .execute();
    },
  },
];

test("what organizations might add may be added", () => {
  for (const text of FORBIDS) checkOrganizationPolicy(book, parseOrganizationPolicy("org-1", "one", text));
});

type Thing = Omit<Resource, "type"> & { readonly id: string };

/** Organizations and teams are in themselves, and have the ids that people are members of. */
function idOf(type: ResourceType, index: number): string {
  if (type === "organization") return ORGANIZATIONS[index] ?? `org-${index + 1}`;
  return type === "team" ? `team-${index + 1}` : `thing-${index}`;
}

describe.each(engines)("on $name", (engine) => {
  test("a list holds exactly the rows that the policies let somebody read", { timeout: 120_000 }, async () => {
    await using home = await testDatabase(engine, [{ feature: "test", migrations }]);
    const database = await home.open();
    const db = database.tables<Tables>();

    async function fill(type: ResourceType, things: readonly Omit<Thing, "id">[]): Promise<Resource[]> {
      const resources = things.map((thing, index) => ({ ...thing, type, id: idOf(type, index) }));
      await db.deleteFrom("thing").execute();
      await db
        .insertInto("thing")
        .values(
          resources.map(({ id, owner = null, organization = null, team = null, ...rest }) => ({
            id,
            owner,
            organization,
            team,
            visibility: rest.visibility ?? "private",
            shared: rest.sharedWithSupport === true ? 1 : 0,
          })),
        )
        .execute();
      return resources;
    }

    async function listed(
      filter: ListFilter,
      subject: Subject,
      action: "read" | "list" | "write",
      type: ResourceType,
    ): Promise<string[]> {
      const rows = await db
        .selectFrom("thing")
        .select("id")
        .where((where) =>
          filter(subject, action, type, {
            id: where.ref("id"),
            owner: where.ref("owner"),
            organization: where.ref("organization"),
            team: where.ref("team"),
            visibility: where.ref("visibility"),
            sharedWithSupport: where("shared", "=", 1),
          }),
        )
        .execute();
      return rows.map(({ id }) => id).sort();
    }

    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.constant<ResourceType>("thread"), fc.constant<ResourceType>("organization"), anyType),
        fc.array(anyThing, { minLength: 1, maxLength: 20 }),
        fc.array(anySubject, { minLength: 1, maxLength: 8 }),
        fc.constantFrom("read", "list", "write"),
        anyOwnPolicies,
        async (type, things, subjects, action, policies) => {
          const { decide, filter } = await decidedWith(policies);
          const resources = await fill(type, things);
          for (const subject of subjects) {
            const allowed = resources.filter((each) => decide(subject, action, each).allowed).map(({ id }) => id ?? "");
            expect(await listed(filter, subject, action, type)).toEqual(allowed.sort());
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
