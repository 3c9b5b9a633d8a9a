import { describe, expect, test } from "vitest";
import { engines, testDatabase } from "../../kit/engines.testing.ts";
import { migrate } from "../../kit/migrations.ts";
import { ChangeFeed } from "./change-feed.ts";
import { migrations, type PeopleTables } from "./migrations.ts";
import { createUsers } from "./users.ts";

const RAW = "Ada@B\u00fccher.example";
const DELIVERED = "Ada@xn--bcher-kva.example";

describe.each(engines)("on $name", (engine) => {
  test("who was written down by an international domain is found by it, however it is written, and is invited by it", async () => {
    const until = migrations.findIndex(({ name }) => name === "0009_delivered_addresses");
    await using home = await testDatabase(engine, [{ feature: "people", migrations: migrations.slice(0, until) }]);
    const database = await home.open();
    const users = createUsers({
      database: async () => database,
      feed: new ChangeFeed(async () => ({ revision: 0, ids: [] })),
      wall: () => 0,
    });
    const db = database.tables<PeopleTables>();
    const rawOf = async (id: string, email: string) => {
      const address = { address: email, address_key: email.replace("A", "a").replace("B", "b") };
      await db.updateTable("person_address").set(address).where("person_id", "=", id).execute();
      await db.updateTable("person").set({ email }).where("id", "=", id).execute();
    };
    const ada = await users.create({ email: "ada@example.com" });
    await rawOf(ada.id, RAW);
    // Two accounts of one address stay two.
    const [raw, delivered] = [
      await users.create({ email: "bob@example.com" }),
      await users.create({ email: "bob@xn--bcher-kva.example" }),
    ];
    await rawOf(raw.id, "bob@b\u00fccher.example");
    await db
      .insertInto("invitation")
      .values({
        ...{ id: "invitation-1", organization_id: "org-1", role: "member", invited_by: "bob", state: "pending" },
        ...{ email: RAW, email_key: RAW.toLowerCase(), token_hash: Buffer.from("token"), answered_at: null },
        ...{ created_at: "2026-11-20T00:00:00.000Z", expires_at: "2026-12-20T00:00:00.000Z" },
      })
      .execute();
    expect(await users.byEmail(DELIVERED)).toBeUndefined();

    await migrate(database, [{ feature: "people", migrations }], () => new Date(0));

    for (const written of [DELIVERED, RAW, "ada@B\u00dcCHER\u3002example"]) {
      expect(await users.byEmail(written)).toMatchObject({ id: ada.id, email: DELIVERED });
    }
    expect(await users.byEmail("bob@b\u00fccher.example")).toMatchObject({ id: raw.id });
    expect(await users.byEmail("bob@xn--bcher-kva.example")).toMatchObject({ id: delivered.id });
    const invitation = await db.selectFrom("invitation").select(["email", "email_key"]).executeTakeFirstOrThrow();
    expect(invitation).toEqual({ email: DELIVERED, email_key: DELIVERED.toLowerCase() });
  });
});
