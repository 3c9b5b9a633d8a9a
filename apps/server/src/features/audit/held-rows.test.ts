import { mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { LedgerFollower, OpenedRequest } from "../../gateway-types.ts";
import { engines } from "../../kit/engines.testing.ts";
import { entry, type LedgerHome, openTestLedger, storedIds, until } from "../ledger/ledger.testing.ts";
import { recoverLostRequests } from "../ledger/lost-requests.ts";
import { type AuditedLedger, openAuditedLedger } from "./audited-ledger.testing.ts";

function journals({ path }: LedgerHome): string[] {
  return readdirSync(join(path, "ledger"));
}

/** A file has the name of the directory of the audit log's journal. */
function obstruct({ path }: LedgerHome): () => void {
  writeFileSync(join(path, "audit"), "");
  return () => rmSync(join(path, "audit"));
}

function failed(id: string) {
  return entry(id, { outcome: "failed", status: 500 });
}

describe.each(engines)("while the audit log's disk takes nothing, on $name", (engine) => {
  it("rows are stored, and their lines stay in the ledger's journal until it does", async () => {
    await using home = await engine.createEmpty();
    const clear = obstruct(home);
    const audited = openAuditedLedger(home);
    for (const id of ["a", "b"]) {
      audited.ledger.record(failed(id));
      await audited.ledger.settle();
      await audited.ledger.settle();
      expect(await storedIds(await audited.database())).toContain(id);
      expect(journals(home)).toHaveLength(1);
    }
    clear();
    await until(() => journals(home).length === 0);
    expect(await audited.eventIds()).toEqual(["a", "b"]);
    await audited.close();
  });

  it("no event is given up of more rows than its memory has room for", async () => {
    await using home = await engine.createEmpty();
    const clear = obstruct(home);
    const audited = openAuditedLedger(home, Date.now, {
      audit: { queueCapacity: 1_000, overflow: "drop_newest" },
    });
    const ids = Array.from({ length: 3_000 }, (_, index) => `r${index}`);
    for (const id of ids) audited.ledger.record({ ...failed(id), model: id });
    for (let attempt = 0; attempt < 3; attempt += 1) await audited.ledger.settle();
    clear();
    await until(() => journals(home).length === 0);
    expect(audited.dropped()).toBe(0);
    expect(await audited.eventIds()).toEqual(ids.sort());
    await audited.close();
  });

  it("what is kept for it counts, and stops requests at the bound of the ledger's journal", async () => {
    await using home = await engine.createEmpty();
    const clear = obstruct(home);
    const audited = openAuditedLedger(home, Date.now, { bounds: { journalBytes: 1_500 } });
    for (const id of ["a", "b", "c", "d"]) {
      audited.ledger.record(failed(id));
      await audited.ledger.settle();
    }
    expect(await storedIds(await audited.database())).toEqual(["a", "b", "c", "d"]);
    const [name = ""] = journals(home);
    expect(audited.ledger.state).toMatchObject({
      healthy: false,
      journalBytes: statSync(join(home.path, "ledger", name)).size,
    });
    clear();
    await until(() => journals(home).length === 0);
    expect(audited.ledger.state).toMatchObject({ healthy: true, journalBytes: 0, droppedRows: 0 });
    await audited.close();
  });

  it("a server that ends leaves them to the next one", async () => {
    await using home = await engine.createEmpty();
    const clear = obstruct(home);
    const first = openAuditedLedger(home);
    first.ledger.record(failed("a"));
    await first.ledger.settle();
    expect(await storedIds(await first.database())).toEqual(["a"]);
    await first.close();
    expect(journals(home)).toEqual([expect.stringMatching(/\.closed\.journal$/)]);
    clear();
    const next = openAuditedLedger(home);
    expect(await next.eventIds()).toEqual(["a"]);
    expect(journals(home)).toEqual([]);
    await next.close();
  });

  it("what others left is brought in, and stays until it is told, in no more than one event", async () => {
    await using home = await engine.createEmpty();
    const other = openTestLedger(home);
    other.ledger.record(failed("a"));
    await other.close();
    const clear = obstruct(home);
    const audited = openAuditedLedger(home);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await audited.ledger.recover();
      expect(await storedIds(await audited.database())).toEqual(["a"]);
      expect(journals(home)).toHaveLength(1);
    }
    clear();
    await until(async () => {
      await audited.ledger.recover();
      return journals(home).length === 0;
    });
    expect(await audited.eventIds()).toEqual(["a"]);
    await audited.close();
  });
});

describe.each(engines)("a request that a dead server left open, on $name", (engine) => {
  const { at, subject, nodes, client, dialect, upstream, requestedModel, model, route } = entry("");
  const known = { at, subject, nodes, client, dialect, upstream, requestedModel, model, route, attempts: 1 };

  function leaveTrace({ path }: LedgerHome, ids: readonly string[]): string {
    const directory = join(path, "open-requests");
    mkdirSync(directory);
    const file = join(directory, "dead.000001.requests");
    const opened = ids.map((id): OpenedRequest => ({ ...known, id, worst: { inputTokens: 1, outputTokens: 1 } }));
    writeFileSync(file, opened.map((each) => `${JSON.stringify(each)}\n`).join(""));
    utimesSync(file, 0, 0);
    return directory;
  }

  function recover(directory: string, { ledger, database }: AuditedLedger, follower: LedgerFollower): Promise<void> {
    return recoverLostRequests({
      directory,
      owns: () => false,
      database,
      follower,
      settle: () => ledger.gather(),
      charge: async () => undefined,
      warn: () => undefined,
      now: Date.now,
    });
  }

  it("is in an event where the server that stored its row was killed before it told of it", async () => {
    await using home = await engine.createEmpty();
    const directory = leaveTrace(home, ["a", "b"]);
    const audited = openAuditedLedger(home);
    const killed: LedgerFollower = {
      isBehind: false,
      isFull: false,
      tell: async () => true,
      see() {
        throw new Error("killed");
      },
    };
    await expect(recover(directory, audited, killed)).rejects.toThrow("killed");
    expect(await storedIds(await audited.database())).toEqual(["a", "b"]);
    await recover(directory, audited, audited.follower);
    expect(readdirSync(directory)).toEqual([]);
    expect(await audited.eventIds()).toEqual(["a", "b"]);
    await audited.close();
  });

  it("is not forgotten before its event is on the disk", async () => {
    await using home = await engine.createEmpty();
    const directory = leaveTrace(home, ["a"]);
    const clear = obstruct(home);
    const audited = openAuditedLedger(home);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await recover(directory, audited, audited.follower);
      expect(await storedIds(await audited.database())).toEqual(["a"]);
      expect(readdirSync(directory)).toHaveLength(1);
    }
    clear();
    await until(async () => {
      await recover(directory, audited, audited.follower);
      return readdirSync(directory).length === 0;
    });
    expect(await audited.eventIds()).toEqual(["a"]);
    await audited.close();
  });
});
