import { existsSync, readdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startProcess } from "@loom/testkit";
import { beforeEach, describe, expect, it } from "vitest";
import type { BudgetNode, LedgerEntry } from "../../gateway-types.ts";
import { engines } from "../../kit/engines.testing.ts";
import { entry, storedIds, until } from "../ledger/ledger.testing.ts";
import { SEAL } from "./audit.testing.ts";
import type { AuditEntry } from "./audit-entry.ts";
import { openAuditedLedger } from "./audited-ledger.testing.ts";
import { LlmEvents } from "./llm-events.ts";
import { verifyChain } from "./verify.ts";

let seen: AuditEntry[];
let warned: string[];
let now: number;
let events: LlmEvents;
beforeEach(() => {
  seen = [];
  warned = [];
  now = 1_000_000;
  const audit = {
    takes: () => true,
    async keep(each: AuditEntry, onKept: () => void) {
      seen.push(each);
      onKept();
    },
  };
  events = new LlmEvents({
    audit,
    redact: (text) => text.replaceAll("canary", "***"),
    warn: (message) => void warned.push(message),
    now: () => now,
  });
});

function many(count: number, fields: Partial<LedgerEntry> = {}): LedgerEntry[] {
  return Array.from({ length: count }, (_, index) => entry(`r${index}`, { at: 1_000 + index, ...fields }));
}

describe("who asked, by the nodes that are charged", () => {
  const key: BudgetNode = { kind: "api_key", id: "key-1" };
  const person: BudgetNode = { kind: "user", id: "user-1" };
  const organization: BudgetNode = { kind: "organization", id: "org-1" };
  it.each([
    ["a person", [person, organization], { type: "user", id: "user-1" }],
    ["a person's key", [key, person, organization], { type: "user", id: "user-1", via: { type: "key", id: "key-1" } }],
    ["an organization's key", [key, organization], { type: "organization_key", id: "key-1" }],
    ["a token", [{ kind: "token", id: "token-1" }], { type: "token", id: "token-1" }],
    ["the owner", [{ kind: "token", id: "owner" }], { type: "owner", id: "owner" }],
  ] as const)("%s", async (_, nodes, actor) => {
    events.see([entry("r1", { nodes })]);
    await events.tell({ all: true });
    expect(seen).toMatchObject([{ event: "llm.completed", actor, requestId: "r1" }]);
    expect(seen[0]?.actor.via).toEqual("via" in actor ? actor.via : undefined);
    expect(seen[0]?.details).not.toHaveProperty("requestIds");
  });
});

describe("requests that differ in nothing but their time", () => {
  it("are one event when a minute is over, with the ids of all", async () => {
    events.see(many(3));
    await events.tell({ all: false });
    expect(seen).toEqual([]);
    expect(events.isBehind).toBe(true);
    now += 60_000;
    await events.tell({ all: false });
    expect(seen).toMatchObject([
      { at: 1_002, requestId: "r2", details: { requests: 3, since: new Date(1_000).toISOString() } },
    ]);
    expect(seen[0]?.details).toMatchObject({ requestIds: ["r0", "r1", "r2"] });
    expect(events.isBehind).toBe(false);
  });

  it("say when the first and the last of them were, in whatever order they ended", async () => {
    events.see([2_000, 1_000, 3_000, 1_500].map((at) => entry(`r${at}`, { at })));
    await events.tell({ all: true });
    expect(seen).toMatchObject([{ at: 3_000, requestId: "r3000", details: { since: new Date(1_000).toISOString() } }]);
  });

  it("are told without waiting where they were not answered", async () => {
    events.see([...many(2), entry("x", { outcome: "refused", errorCode: "budget_exceeded" })]);
    await events.tell({ all: false });
    expect(seen).toMatchObject([{ event: "llm.failed", outcome: "denied", requestId: "x" }]);
    expect(events.isBehind).toBe(true);
  });

  it("are a hundred of an event at most, and ten thousand in memory", async () => {
    events.see(many(250));
    await events.tell({ all: false });
    expect(seen.map(({ details }) => details?.requests)).toEqual([100, 100]);
    events.see(Array.from({ length: 9_950 }, (_, index) => entry(`s${index}`, { model: `m${index}` })));
    await events.tell({ all: false });
    expect(seen).toHaveLength(2 + 1 + 9_950);
    expect(events.isBehind).toBe(false);
  });

  it("are passed on a few hundred at once while the disk takes none, and all of them in the end", async () => {
    const waiting: (() => void)[] = [];
    let isBroken = true;
    const audit = {
      takes: () => true,
      async keep(each: AuditEntry, onKept: () => void) {
        seen.push(each);
        if (isBroken) waiting.push(onKept);
        else onKept();
      },
    };
    events = new LlmEvents({ audit, redact: String, warn: () => undefined, now: () => now });
    events.see(Array.from({ length: 12_000 }, (_, index) => entry(`s${index}`, { model: `m${index}` })));
    for (let attempt = 0; attempt < 5; attempt += 1) expect(await events.tell({ all: true })).toBe(false);
    expect(seen.length).toBeLessThanOrEqual(512);
    expect([events.isFull, events.isBehind]).toEqual([true, true]);
    isBroken = false;
    for (const onKept of waiting) onKept();
    // Those that were refused come first, whatever else is due.
    expect(await events.tell({ all: false })).toBe(true);
    expect(new Set(seen.map(({ requestId }) => requestId)).size).toBe(12_000);
    expect([events.isFull, events.isBehind]).toEqual([false, false]);
  });

  it("are others where who asked, the model or the outcome is another", async () => {
    const token = (id: string) => ({ nodes: [{ kind: "token", id }] });
    events.see([entry("a", token("1")), entry("b", token("2")), entry("c", { ...token("1"), model: "m" })]);
    events.see([entry("d", { ...token("1"), status: 500, outcome: "failed" }), entry("e", token("1"))]);
    await events.tell({ all: true });
    expect(seen.map(({ details, requestId }) => details?.requestIds ?? requestId).sort()).toEqual([
      ["a", "e"],
      "b",
      "c",
      "d",
    ]);
  });
});

it("has one id for the same requests, and another for others", async () => {
  for (const count of [2, 2, 3]) {
    events.see(many(count));
    await events.tell({ all: true });
  }
  const ids = seen.map(({ id }) => id);
  expect(ids[0]).toMatch(/^audit-[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(ids[1]).toBe(ids[0]);
  expect(ids[2]).not.toBe(ids[0]);
});

it("is behind for ever of no row that no event can be made of, and says so", async () => {
  events.see([entry("a", { at: 9e15 }), entry("b", { at: 9e15 }), entry("c", { model: "other" })]);
  expect(await events.tell({ all: true })).toBe(true);
  expect(seen.map(({ requestId }) => requestId)).toEqual(["c"]);
  expect(warned).toHaveLength(1);
  expect(events.isBehind).toBe(false);
});

it("keeps secrets out of names and error codes", async () => {
  const names = { subject: "canary", model: "canary", requestedModel: "canary\0", upstream: "canary" };
  events.see([entry("r1", { ...names, outcome: "failed", errorCode: "canary" })]);
  await events.tell({ all: true });
  expect(JSON.stringify(seen)).not.toContain("canary");
});

describe.each(engines)("of rows on $name", (engine) => {
  it("there are events by themselves, and all of them when somebody asks", async () => {
    await using home = await engine.createEmpty();
    let now = 0;
    const audited = openAuditedLedger(home, () => now);
    audited.ledger.record(entry("a"));
    const tables = (await audited.database()).tables<{ audit: { id: string } }>();
    await until(async () => {
      // Whenever the row was seen, a minute later is after this.
      now += 60_000;
      return (await tables.selectFrom("audit").select("id").execute()).length === 1;
    });
    audited.ledger.record(entry("b"));
    expect(await audited.eventIds()).toEqual(["a", "b"]);
    await audited.close();
    expect(readdirSync(join(home.path, "ledger"))).toEqual([]);
  });

  it("none is taken for that of a dead server while it waits for the minute to be over", async () => {
    await using home = await engine.createEmpty();
    let now = 0;
    const audited = openAuditedLedger(home, () => now);
    audited.ledger.record(entry("a"));
    await until(async () => (await storedIds(await audited.database())).length === 1);
    const journals = join(home.path, "ledger");
    const touched = () => readdirSync(journals).map((name) => statSync(join(journals, name)).mtimeMs);
    expect(touched()).toHaveLength(1);
    const [before = 0] = touched();
    for (const name of readdirSync(journals)) utimesSync(join(journals, name), 0, 0);
    now = 30_000;
    await until(() => touched().every((each) => each >= before));
    await audited.close();
  });

  it("each is in an event after kill -9", { timeout: 60_000 }, async () => {
    await using home = await engine.createEmpty();
    const script = fileURLToPath(new URL("endless-llm.testing.ts", import.meta.url));
    for (const prefix of ["a", "b"]) {
      const args = [script, home.path, prefix, home.env.LOOM_SERVER_DATABASE_URL ?? ""];
      const recorder = await startProcess(process.execPath, args);
      await recorder.waitForOutput(/^[3-9]\d{3}$/m);
      recorder.signal("SIGKILL");
      await recorder.exited;
    }
    // The audit log has a journal from its first event on.
    for (const path of ["ledger", "audit"].map((name) => join(home.path, name)).filter(existsSync)) {
      for (const name of readdirSync(path)) utimesSync(join(path, name), 0, 0);
    }
    const audited = openAuditedLedger(home);
    const told = await audited.eventIds();
    const stored = await storedIds(await audited.database());
    expect(stored.length).toBeGreaterThan(2_000);
    expect([...new Set(told)]).toEqual(stored);
    expect((await verifyChain(await audited.database(), { seal: SEAL })).problems).toEqual([]);
    await audited.close();
  });
});
