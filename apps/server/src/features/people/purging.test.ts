// What becomes of accounts and organizations 90 days after they were deleted.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { User } from "../../identity-types.ts";
import type { AuditEvent } from "../../kit/audit.ts";
import { engines } from "../../kit/engines.testing.ts";
import type { PeopleTables } from "./migrations.ts";
import { DAY_MS, type Node, type Town, town } from "./people.testing.ts";
import type { People } from "./person-store.ts";
import { purge } from "./purge.ts";

/** As many as have their turn at once. */
const MANY = 100;

describe.each(engines)("on $name", (engine) => {
  let place: Town;
  let node: Node;
  let db: People;
  let ada: User;

  beforeEach(async () => {
    place = await town(engine);
    node = await place.node({ isPolicied: true });
    db = (await place.home.open()).tables<PeopleTables>();
    await node.person("root_person");
    ada = await node.person("ada");
  });

  afterEach(() => place[Symbol.asyncDispose]());

  /** Where what others keep of `stuck` cannot be removed; gives what was recorded. */
  async function purgeBut(stuck: RegExp): Promise<readonly string[]> {
    const events: AuditEvent[] = [];
    const refuse = async ({ id }: { readonly id: string }) => {
      if (stuck.test(id)) throw new Error("The disk is on fire.");
    };
    const record = (event: AuditEvent) => void events.push(event);
    const elsewhere = { person: refuse, organization: refuse, teams: [] };
    await purge(node.services.purging, { record }, elsewhere).catch((error: unknown) => {
      if (!(error instanceof AggregateError)) throw error;
      events.push({ event: String(error) } as unknown as AuditEvent);
    });
    return events.map(({ event, target }) => [event, target?.name].join(" ").trim());
  }

  const FAILED = new RegExp(
    `^AggregateError: ${MANY} could not be removed and will be tried again: .*-stuck-.*on fire`,
  );

  test("people who cannot be removed hold up nobody, and are tried again", async () => {
    const row = await db.selectFrom("person").selectAll().where("id", "=", ada.id).executeTakeFirstOrThrow();
    for (let at = 0; at < MANY; at += 1) {
      const name = `stuck_${at}`;
      const id = `user-stuck-${String(at).padStart(12, "0")}`;
      const deleted_at = new Date(0).toISOString();
      await db
        .insertInto("person")
        .values({ ...row, id, username: name, username_key: name, deleted_at })
        .execute();
    }
    await node.call(ada.id, "POST", "/api/users/me/delete");
    place.pass(90 * DAY_MS);
    expect(await purgeBut(/stuck/)).toEqual([expect.stringMatching(FAILED)]);
    expect(await node.metrics.render()).toContain(`loom_purged_total{outcome="failed"} ${MANY}`);
    expect(await purgeBut(/stuck/)).toEqual([
      "user.deleted ada",
      expect.stringMatching(/^organization.purged ada/),
      expect.stringMatching(/^AggregateError: 99 could/),
    ]);
    // The one that was left out is the first now.
    expect(await purgeBut(/never/)).toHaveLength(MANY);
    expect(await purgeBut(/never/)).toEqual([]);
  });

  test("nor does what is kept of a team that is gone", async () => {
    await node.call(ada.id, "POST", "/api/orgs", { body: { slug: "acme" } });
    const { json } = await node.call<{ readonly id: string }>(ada.id, "POST", "/api/orgs/acme/teams", {
      body: { slug: "red" },
    });
    const kept = new Set(["team-1", "team-2-stuck", "team-3", json.id]);
    const failing = {
      nextAfter: () => Promise.reject(new Error("The disk is on fire.")),
      purge: async () => {},
    };
    const working = {
      nextAfter: async (after: string) => [...kept].toSorted().find((id) => id > after),
      async purge(id: string) {
        if (id.includes("stuck")) throw new Error("The disk is on fire.");
        kept.delete(id);
      },
    };
    const elsewhere = { person: async () => {}, organization: async () => {}, teams: [failing, working] };
    const { failures } = await node.services.purging.purge(elsewhere);
    expect(failures.map(({ id }) => id)).toEqual(["teams", "team-2-stuck"]);
    expect([...kept]).toEqual(["team-2-stuck", json.id]);
  });

  test("nor do organizations", async () => {
    await node.call(ada.id, "POST", "/api/orgs", { body: { slug: "acme" } });
    const row = await db.selectFrom("organization").selectAll().where("slug", "=", "acme").executeTakeFirstOrThrow();
    for (let at = 0; at < MANY; at += 1) {
      const deleted_at = new Date(0).toISOString();
      await db
        .insertInto("organization")
        .values({ ...row, id: `org-stuck-${at}`, slug: `stuck-${at}`, deleted_at })
        .execute();
    }
    await node.call(ada.id, "DELETE", "/api/orgs/acme");
    place.pass(90 * DAY_MS);
    expect(await purgeBut(/stuck/)).toEqual([expect.stringMatching(FAILED)]);
    expect(await purgeBut(/stuck/)).toEqual(["organization.purged acme", expect.stringMatching(/^AggregateError: 99/)]);
    expect(await purgeBut(/never/)).toHaveLength(MANY);
    expect(await db.selectFrom("organization").select("slug").where("deleted_at", "is not", null).execute()).toEqual(
      [],
    );
  });

  test("an organization is brought back for 90 days, and not while it waits to be removed", async () => {
    await node.call(ada.id, "POST", "/api/orgs", { body: { slug: "acme" } });
    await node.call(ada.id, "DELETE", "/api/orgs/acme");
    place.pass(90 * DAY_MS);
    await purgeBut(/^org-/);
    expect((await node.call(ada.id, "POST", "/api/orgs/acme/restore")).status).toBe(410);
  });

  test("what nobody else belongs to goes before its person, and what cannot be removed keeps him waiting", async () => {
    await node.call(ada.id, "POST", "/api/orgs", { body: { slug: "alone" } });
    await node.call(ada.id, "POST", "/api/users/me/delete");
    place.pass(90 * DAY_MS);
    const [stuck] = await purgeBut(/^org-/);
    expect(stuck).toMatch(/^AggregateError: 1 could not .* user-.*on fire/);
    expect(await node.services.users.byId(ada.id)).toMatchObject({ username: "ada" });
    // Nobody gets in meanwhile.
    expect((await node.call("owner", "GET", "/api/orgs/alone")).status).toBe(404);
    const purged = await purgeBut(/never/);
    expect(purged).toContain("user.deleted ada");
    expect(purged).toContain("organization.purged alone");
  });

  test("an organization falls to a member who can act", async () => {
    await node.call(ada.id, "POST", "/api/orgs", { body: { slug: "acme" } });
    for (const [name, role] of [
      ["bob", "admin"],
      ["eve", "member"],
    ] as const) {
      await node.person(name);
      await node.call("owner", "PUT", `/api/orgs/acme/members/${name}`, { body: { role } });
    }
    await node.call("owner", "POST", "/api/admin/users/bob/disable");
    // She can go only while it is deleted; who runs the server brings it back.
    await node.call(ada.id, "DELETE", "/api/orgs/acme");
    await node.call(ada.id, "POST", "/api/users/me/delete");
    await node.call("owner", "POST", "/api/orgs/acme/restore");
    place.pass(90 * DAY_MS);
    expect(await purgeBut(/never/)).toContain("member.role_changed eve");
  });
});
