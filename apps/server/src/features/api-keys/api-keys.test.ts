import { setTimeout } from "node:timers/promises";
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AuditEvent } from "../../kit/audit.ts";
import { engines } from "../../kit/engines.testing.ts";
import { KIT_MIGRATIONS } from "../../kit/job-claims.ts";
import { OWNER, type Subject } from "../../kit/subject.ts";
import { type Node, ORIGIN, type SessionHouse, sessionHouse, setPerson } from "../sessions/sessions.testing.ts";
import { isWellFormedKey, looksLikeKey, mintKey } from "./key-text.ts";
import { migrations } from "./migrations.ts";
import { type ApiKeyService, createApiKeyService, MAX_LIVE_KEYS } from "./service.ts";
import { createKeyStore } from "./store.ts";

const DAY_MS = 86_400_000;
const ADA = { id: "user-ada", name: "ada" };
const FROM = { origin: ORIGIN };

describe.each(engines)("on $name", (engine) => {
  let house: SessionHouse;
  let organizations: Set<string>;
  const events: AuditEvent[] = [];
  /** Whose limits were removed. */
  const unlimited: string[] = [];
  /** Whose limits cannot be removed now. */
  const stuck = new Set<string>();

  beforeEach(async () => {
    house = await sessionHouse(engine, [KIT_MIGRATIONS, { feature: "api-keys", migrations }]);
    organizations = new Set(["org-acme"]);
    events.length = 0;
    unlimited.length = 0;
    stuck.clear();
  });
  afterEach(async () => {
    await house[Symbol.asyncDispose]();
  });

  async function server({ maxLifeMs }: { readonly maxLifeMs?: number } = {}): Promise<Node & { keys: ApiKeyService }> {
    const node = await house.node();
    const database = await house.home.open();
    const keys = createApiKeyService({
      store: createKeyStore(
        async () => database,
        () => sql<boolean>`1 = 1`,
      ),
      users: node.users,
      isOrganization: async (id) => organizations.has(id),
      maxLifeMs,
      limits: {
        refreshRules: async () => {},
        async remove(kind, id) {
          if (stuck.has(id)) throw new Error("The database is locked.");
          unlimited.push(`${kind}/${id}`);
        },
      },
      clock: { wall: house.now, monotonic: house.now },
    });
    return { ...node, keys };
  }

  async function userKey(node: Node & { keys: ApiKeyService }, wish: Partial<{ expiresAt: string }> = {}) {
    const user = await node.users.create({ email: "ada@example.com", username: "ada" });
    const minted = await node.keys.create({ type: "user", id: user.id }, { name: "ci", ...wish }, { by: ADA });
    return { user, key: minted.key ?? "", info: minted.info };
  }

  test("a user's key is the user with the key's scopes, and what it costs is the key's and the user's", async () => {
    const node = await server();
    const { user, key, info } = await userKey(node);
    expect(looksLikeKey(key)).toBe(true);
    expect(info).toMatchObject({ lastFour: key.slice(-4), scopes: ["llm:use"], expiresAt: null, lastUsedAt: null });
    const subject = (await node.keys.authenticate(key, FROM)) as Subject & { type: "user" };
    expect(subject).toMatchObject({
      type: "user",
      id: user.id,
      via: { type: "key", id: info.id },
      scopes: ["llm:use"],
    });
    expect(subject.nodes.slice(0, 2)).toEqual([
      { kind: "api_key", id: info.id },
      { kind: "user", id: user.id },
    ]);
    // The second time it is known.
    expect(node.keys.authenticate(key, FROM)).toBe(subject);
  });

  test("a key is nowhere but with who got it", async () => {
    const node = await server();
    const { key } = await userKey(node);
    const database = await house.home.open();
    const rows = await database
      .tables<{ api_key: Record<string, unknown> }>()
      .selectFrom("api_key")
      .selectAll()
      .execute();
    expect(JSON.stringify(rows)).not.toContain(key.slice(3, 30));
  });

  test("a key that was cut off, mistyped or made up costs no question to the database", async () => {
    const node = await server();
    const { key } = await userKey(node);
    const mistyped = key.slice(0, 10) + (key[10] === "A" ? "B" : "A") + key.slice(11);
    for (const wrong of [key.slice(0, -1), mistyped, `${key}A`, key.toUpperCase(), "lk_", "", `lt_${key.slice(3)}`]) {
      expect(node.keys.authenticate(wrong, FROM)).toBeUndefined();
    }
    // One of another server: well formed, and nobody's.
    expect(await node.keys.authenticate(mintKey(), FROM)).toBeUndefined();
  });

  test("revoked here it is void at once; on another server when that has looked, within a second", async () => {
    const [here, there] = [await server(), await server()];
    const { key, info } = await userKey(here);
    expect(await there.keys.authenticate(key, FROM)).toBeDefined();
    expect(await here.keys.authenticate(key, FROM)).toBeDefined();
    const revoked = await here.keys.revoke(info.id);
    expect(revoked).toMatchObject({ key: { revokedAt: expect.any(String) }, isNew: true });
    expect(await here.keys.authenticate(key, FROM)).toBeUndefined();
    await there.keys.followEnds();
    expect(await there.keys.authenticate(key, FROM)).toBeUndefined();
    // A second time nothing changes.
    expect(await here.keys.revoke(info.id)).toEqual({ ...revoked, isNew: false });
  });

  test("a revocation overtakes a look-up that is under way", async () => {
    const node = await server();
    const { key, info } = await userKey(node);
    const asked = node.keys.authenticate(key, FROM);
    await Promise.all([asked, node.keys.revoke(info.id)]);
    expect(await node.keys.authenticate(key, FROM)).toBeUndefined();
  });

  test("the key of somebody who is disabled is void at once, and good again when he may come back", async () => {
    const [here, there] = [await server(), await server()];
    const { user, key } = await userKey(here);
    expect(await there.keys.authenticate(key, FROM)).toBeDefined();
    await setPerson(house, user.id, { disabled: true });
    await there.follow();
    expect(await there.keys.authenticate(key, FROM)).toBeUndefined();
    await setPerson(house, user.id, { disabled: false });
    await there.follow();
    expect(await there.keys.authenticate(key, FROM)).toMatchObject({ id: user.id });
  });

  test("a key with an end is void from that moment on, also where it is remembered", async () => {
    const node = await server();
    const { key } = await userKey(node, { expiresAt: new Date(house.now() + 1_000).toISOString() });
    expect(await node.keys.authenticate(key, FROM)).toBeDefined();
    house.pass(999);
    expect(node.keys.authenticate(key, FROM)).toBeDefined();
    house.pass(1);
    expect(node.keys.authenticate(key, FROM)).toBeUndefined();
  });

  test("where the server says how long a key may live, none lives longer", async () => {
    const node = await server({ maxLifeMs: 30 * DAY_MS });
    const { user, info } = await userKey(node);
    expect(info.expiresAt).toBe(new Date(house.now() + 30 * DAY_MS).toISOString());
    const owner = { type: "user", id: user.id } as const;
    const late = { name: "x", expiresAt: new Date(house.now() + 31 * DAY_MS).toISOString() };
    await expect(node.keys.create(owner, late, { by: ADA })).rejects.toThrow(/expiresAt.*at most 30 days/);
    house.pass(10 * DAY_MS);
    const { minted } = await node.keys.rotate(info.id, { by: ADA });
    expect(minted.info.expiresAt).toBe(new Date(house.now() + 30 * DAY_MS).toISOString());
  });

  test("rotation: both keys work for the overlap, then the new one does; a replaced key is not rotated again", async () => {
    const [here, there] = [await server(), await server()];
    const { key, info } = await userKey(here);
    expect(await there.keys.authenticate(key, FROM)).toBeDefined();
    const { minted, old } = await here.keys.rotate(info.id, { by: ADA, overlapSeconds: 60 });
    expect(old).toMatchObject({ id: info.id, replacedBy: minted.info.id });
    await there.keys.followEnds();
    for (const node of [here, there]) {
      expect(await node.keys.authenticate(key, FROM)).toBeDefined();
      expect(await node.keys.authenticate(minted.key ?? "", FROM)).toBeDefined();
    }
    await expect(here.keys.rotate(info.id, { by: ADA })).rejects.toMatchObject({ problem: { code: "conflict" } });
    house.pass(60_000);
    for (const node of [here, there]) {
      expect(await node.keys.authenticate(key, FROM)).toBeUndefined();
      expect(await node.keys.authenticate(minted.key ?? "", FROM)).toBeDefined();
    }
  });

  test("of two rotations at once one is the rotation", async () => {
    const [here, there] = [await server(), await server()];
    const { info } = await userKey(here);
    const both = await Promise.allSettled([
      here.keys.rotate(info.id, { by: ADA }),
      there.keys.rotate(info.id, { by: ADA }),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  test("an organization's key is the organization's, has no say over everything, and ends with it", async () => {
    const node = await server();
    const owner = { type: "organization", id: "org-acme" } as const;
    const { key, info } = await node.keys.create(owner, { name: "robot", scopes: ["usage:read"] }, { by: ADA });
    expect(await node.keys.authenticate(key ?? "", FROM)).toEqual({
      type: "organization_key",
      id: info.id,
      name: "robot",
      organization: "org-acme",
      scopes: ["usage:read"],
      nodes: [
        { kind: "api_key", id: info.id },
        { kind: "organization", id: "org-acme" },
      ],
    });
    const admin = node.keys.create(owner, { name: "x", scopes: ["admin"] }, { by: ADA });
    await expect(admin).rejects.toMatchObject({ problem: { errors: [{ field: "scopes" }] } });
    organizations.delete("org-acme");
    house.pass(4_000);
    expect(await node.keys.authenticate(key ?? "", FROM)).toBeUndefined();
  });

  test("when it was used last, and from where, is written down later, once for many requests", async () => {
    const [here, there] = [await server(), await server()];
    const { user, key, info } = await userKey(here);
    await here.keys.authenticate(key, FROM);
    house.pass(1_500);
    await here.keys.authenticate(key, FROM);
    const owner = { type: "user", id: user.id } as const;
    const seen = async (node: { keys: ApiKeyService }) => (await node.keys.list(OWNER, owner, { limit: 10 })).keys[0];
    expect(await seen(there)).toMatchObject({ lastUsedAt: null, lastUsedFrom: null });
    await here.keys.saveUses();
    const used = { id: info.id, lastUsedAt: new Date(house.now()).toISOString(), lastUsedFrom: ORIGIN.address };
    expect(await seen(there)).toMatchObject(used);
  });

  test("an owner has so many live keys and not more; pages show all of them, newest first", async () => {
    const node = await server();
    const { user } = await userKey(node);
    const owner = { type: "user", id: user.id } as const;
    // Of two of one millisecond, none is newer.
    await setTimeout(2);
    for (let count = 1; count < MAX_LIVE_KEYS; count += 1)
      await node.keys.create(owner, { name: `k${count}` }, { by: ADA });
    const more = node.keys.create(owner, { name: "more" }, { by: ADA });
    await expect(more).rejects.toMatchObject({ problem: { code: "conflict" } });
    const first = await node.keys.list(OWNER, owner, { limit: 60 });
    const second = await node.keys.list(OWNER, owner, { limit: 60, cursor: first.nextCursor ?? "" });
    expect([first.keys.length, second.keys.length, second.nextCursor]).toEqual([60, MAX_LIVE_KEYS - 60, null]);
    expect(second.keys.at(-1)?.name).toBe("ci");
  });

  test("the same wish with the same Idempotency-Key makes one key, which is shown once", async () => {
    const node = await server();
    const { user } = await userKey(node);
    const owner = { type: "user", id: user.id } as const;
    const once = { owner: user.id, key: "k-1", fingerprint: "f" };
    const first = await node.keys.create(owner, { name: "once" }, { by: ADA, once });
    const again = await node.keys.create(owner, { name: "once" }, { by: ADA, once });
    expect(first.key).not.toBeNull();
    expect(again).toEqual({ key: null, info: first.info });
  });

  test("keys that ended long ago are removed, and revisions go on", async () => {
    const [here, there] = [await server(), await server()];
    const { user, info } = await userKey(here);
    await here.keys.revoke(info.id);
    house.pass(91 * DAY_MS);
    const owner = { type: "user", id: user.id } as const;
    const { key, info: next } = await here.keys.create(owner, { name: "next" }, { by: ADA });
    await there.keys.followEnds();
    expect(await there.keys.authenticate(key ?? "", FROM)).toBeDefined();
    expect(unlimited).toEqual([]);
    await here.keys.purge();
    await here.keys.revoke(next.id);
    await here.keys.purge();
    await there.keys.followEnds();
    expect(await there.keys.authenticate(key ?? "", FROM)).toBeUndefined();
    expect((await here.keys.list(OWNER, owner, { limit: 10 })).keys.map(({ name }) => name)).toEqual(["next"]);
    expect(unlimited).toEqual([`api_key/${info.id}`]);
  });

  test("a key that has ended stays known until its limits are gone, whatever fails meanwhile", async () => {
    const node = await server();
    const user = await node.users.create({ email: "ada@example.com", username: "ada" });
    const owner = { type: "user", id: user.id } as const;
    const expiresAt = new Date(house.now() + DAY_MS).toISOString();
    const ids: string[] = [];
    for (const name of ["one", "two", "three"]) {
      ids.push((await node.keys.create(owner, { name, expiresAt }, { by: ADA })).info.id);
    }
    const left = async () => (await node.keys.list(OWNER, owner, { limit: 10 })).keys.map(({ id }) => id).sort();
    house.pass(92 * DAY_MS);
    stuck.add(ids[1] ?? "");
    await expect(node.keys.purge()).rejects.toThrow("The database is locked.");
    expect(await left()).toEqual([...ids].sort());
    stuck.clear();
    await node.keys.purge();
    expect(await left()).toEqual([]);
    expect(new Set(unlimited)).toEqual(new Set(ids.map((id) => `api_key/${id}`)));
  });
});

test("a key says by itself whether it can be one", () => {
  for (let count = 0; count < 50; count += 1) expect(isWellFormedKey(mintKey())).toBe(true);
  // What stands here is what other programs check by: a known key with its checksum.
  expect(isWellFormedKey(`lk_${"A".repeat(43)}${"AAAAAA"}`)).toBe(false);
});
