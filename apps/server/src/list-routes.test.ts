// Every route that gives a list, and why it gives nobody a row that the policies keep from him.
import { api, type Contract } from "@loom/api";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { type EveryRoute, everyRoute } from "./every-route.testing.ts";
import type { PeopleTables } from "./features/people/migrations.ts";
import { user } from "./features/policy/policy.testing.ts";
import { anyOwnPolicies, anySubject, decidedWith, USERS } from "./features/policy/worlds.testing.ts";
import type { Resource } from "./kit/policy.ts";
import { COMPARED, PROOFS } from "./list-proofs.testing.ts";

const contracts: readonly Contract[] = Object.values(api).flatMap((group) => Object.values(group));

/** Lists of the API, by what they answer: an object with a list of objects in it. */
async function lists(): Promise<Contract[]> {
  const found: Contract[] = [];
  for (const contract of contracts) {
    const { response } = await contract.schemas();
    if (contract.method !== "GET" || !(response instanceof z.ZodObject)) continue;
    const isList = Object.values(response.shape).some(
      (field) => field instanceof z.ZodArray && field.element instanceof z.ZodObject,
    );
    if (isList || "nextCursor" in response.shape) found.push(contract);
  }
  return found;
}

let every: EveryRoute;
beforeAll(async () => {
  every = await everyRoute();
});
afterAll(() => every.close());

test("every list has a proof, and every proof a list", async () => {
  const names = (await lists()).map(({ operation }) => operation);
  expect(names.toSorted()).toEqual(Object.keys(PROOFS).toSorted());
});

test("what is said to be compared row by row is", () => {
  const compared = new Set<string>(Object.values(COMPARED));
  for (const [name, proof] of Object.entries(PROOFS)) {
    if (proof.type !== "filtered") continue;
    expect([name, compared.has(name)]).toEqual([name, true]);
  }
  for (const name of compared) expect([name, PROOFS[name]?.type]).toEqual([name, "filtered"]);
});

/** Something of what paths name. */
const THERE = { org: "acme", user: "ada" };

test("every list asks what its proof says that it asks", async () => {
  await furnish();
  const asked: string[] = [];
  const said: string[] = [];
  for (const [name, proof] of Object.entries(PROOFS)) {
    if (proof.type === "filtered") continue;
    const route = every.routes.find(({ contract }) => contract.operation === name);
    const { type, owner, organization } = (await route?.resourceOf(THERE, user("user-1"))) ?? {};
    const asks = `${name}: ${route?.action} ${type}`;
    if (proof.type === "one") {
      const { action, of, owned = false, inOrganization = false } = proof;
      asked.push(`${asks}, ${owner !== undefined}, ${organization !== undefined}`);
      said.push(`${name}: ${action} ${of}, ${owned}, ${inOrganization}`);
    } else {
      asked.push(asks);
      said.push(`${name}: ${proof.asks}`);
    }
  }
  expect(asked).toEqual(said);
});

async function furnish(): Promise<void> {
  const db = every.database.tables<PeopleTables>();
  const at = "2026-01-01T00:00:00.000Z";
  await db
    .insertInto("person")
    .values({
      ...{ id: "user-1", username: THERE.user, username_key: "ada", display_name: "ada", email: "ada@example.com" },
      ...{ show_email: 0, locale: null, avatar_url: null, global_roles: "[]", created_at: at, disabled_at: null },
      ...{ deleted_at: null, purged_at: null, version: 1, revision: 1 },
    })
    .execute();
  await db
    .insertInto("organization")
    .values({
      ...{ id: "org-1", slug: THERE.org, name: "acme", description: "", visibility: "private", join_policy: "request" },
      ...{ require_second_factor: 0, personal_of: null, created_at: at, deleted_at: null, version: 1 },
    })
    .execute();
}

test.each(Object.entries(PROOFS).flatMap(([name, proof]) => (proof.type === "one" ? [[name, proof] as const] : [])))(
  "who may ask for %s may do the same with each of its rows",
  async (_, { action, of, owned, inOrganization }) => {
    await fc.assert(
      fc.asyncProperty(anySubject, fc.constantFrom(...USERS), anyOwnPolicies, async (subject, owner, own) => {
        const { decide } = await decidedWith(own);
        const asked: Resource = { type: of, ...(owned && { owner }), ...(inOrganization && { organization: "org-1" }) };
        // What a row has besides: an id, and where it is somebody's, whose.
        const row: Resource = { ...asked, id: "thing-1", ...(!inOrganization && { owner }) };
        if (!decide(subject, action, asked).allowed) return;
        expect(decide(subject, action, row)).toMatchObject({ allowed: true });
      }),
      { numRuns: 300 },
    );
  },
);
