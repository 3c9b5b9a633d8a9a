import { spawn } from "node:child_process";
import { utimesSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { AuditEvent } from "../../kit/audit.ts";
import { engines, testDatabase } from "../../kit/engines.testing.ts";
import { Journal } from "../../kit/journal/journal.ts";
import { SILENT_LOG } from "../../kit/log.ts";
import { Trouble } from "../../kit/trouble.ts";
import { entry, event, openTestAudit, SEAL } from "./audit.testing.ts";
import { AuditQueue } from "./audit-queue.ts";
import { FloodGate } from "./flood-gate.ts";
import { type AuditTables, migrations } from "./migrations.ts";
import { verifyChain } from "./verify.ts";

const SETS = [{ feature: "audit", migrations }];

describe.each(engines)("an acknowledged event on $name", (engine) => {
  it("survives kill -9, once, in a chain that holds", { timeout: 60_000 }, async () => {
    const test = await testDatabase(engine, SETS);
    onTestFinished(() => test[Symbol.asyncDispose]());
    const script = new URL("endless-recorder.testing.ts", import.meta.url).pathname;
    const acknowledged = new Set<string>();
    for (const prefix of ["a", "b"]) {
      const child = spawn(process.execPath, [script, test.path, prefix, test.env.LOOM_SERVER_DATABASE_URL ?? ""]);
      onTestFinished(() => void child.kill("SIGKILL"));
      let text = "";
      await new Promise<void>((resolve, reject) => {
        child.stderr.on("data", (chunk) => reject(new Error(String(chunk))));
        child.stdout.on("data", (chunk: Buffer) => {
          text += chunk;
          if (text.split("\n").length > 400) child.kill("SIGKILL");
        });
        child.once("close", () => resolve());
      });
      for (const line of text.split("\n").slice(0, -1)) acknowledged.add(line);
    }
    // Nobody touches the journals of the dead.
    const journals = join(test.path, "audit");
    for (const name of await readdir(journals)) utimesSync(join(journals, name), 0, 0);
    const database = await test.open();
    const audit = openTestAudit(test.path, async () => database);
    await audit.settle();
    await audit.close();
    const rows = await database.tables<AuditTables>().selectFrom("audit").select("target_id").execute();
    const stored = rows.map(({ target_id }) => target_id);
    expect(new Set(stored).size).toBe(stored.length);
    expect([...acknowledged].filter((id) => !stored.includes(id))).toEqual([]);
    expect((await verifyChain(database, { seal: SEAL })).problems).toEqual([]);
  });
});

describe.each(engines)("an event that the kernel took and did not bring to the disk, on $name", (engine) => {
  it("is written again, and stored once", async () => {
    const test = await testDatabase(engine, SETS);
    onTestFinished(() => test[Symbol.asyncDispose]());
    const database = await test.open();
    const audit = openTestAudit(test.path, async () => database);
    onTestFinished(() => audit.close());
    const append = vi.spyOn(Journal.prototype, "append");
    const sync = vi.spyOn(Journal.prototype, "sync");
    onTestFinished(() => {
      append.mockRestore();
      sync.mockRestore();
    });
    for (const id of ["a", "b", "c"]) {
      append.mockClear();
      // No disk fails when a test wants it to.
      sync.mockRejectedValueOnce(new Error("EIO"));
      await audit.record(event(id));
      await audit.settle();
      expect(append).toHaveBeenCalledTimes(2);
    }
    const rows = await database.tables<AuditTables>().selectFrom("audit").select("target_id").execute();
    expect(rows.map(({ target_id }) => target_id)).toEqual(["a", "b", "c"]);
    expect((await verifyChain(database, { seal: SEAL })).problems).toEqual([]);
  });
});

describe("a full queue", () => {
  const queueOf = (overflow: "block" | "drop_newest" | "drop_oldest", broken: "append" | "sync" = "append") => {
    let isBroken = true;
    const kept: string[] = [];
    const sizes: number[] = [];
    const queue = new AuditQueue({
      capacity: 3,
      overflow,
      append: async (_lines, events) => {
        sizes.push(queue.size);
        if (isBroken && broken === "append") throw new Error("no room");
        kept.push(...events.map(({ entry: { target } }) => target?.id ?? ""));
      },
      async sync() {
        if (isBroken && broken === "sync") throw new Error("no room");
      },
      onTaken: () => undefined,
      onWritten: () => undefined,
      trouble: new Trouble(SILENT_LOG, "it"),
    });
    const mend = (): void => {
      isBroken = false;
    };
    return { queue, kept, sizes, mend };
  };

  it("lets in as many of those who wait as there is room for, in their order, and all of them in the end", async () => {
    const { queue, kept, sizes, mend } = queueOf("block");
    const ids = Array.from({ length: 20 }, (_, index) => String(index));
    const puts = ids.map((id) => queue.put(entry(id, 0)));
    mend();
    // Whoever comes while others wait is behind them.
    const later = puts[0]?.then(() => queue.put(entry("later", 0)));
    await Promise.all([...puts, later]);
    expect(kept).toEqual([...ids, "later"]);
    expect(Math.max(...sizes)).toBe(3);
    expect(queue.dropped).toBe(0);
  });

  it.each(["append", "sync"] as const)(
    "says that an event is kept once it is on the disk, and not while %s fails",
    async (broken) => {
      const { queue, kept: written, mend } = queueOf("block", broken);
      let isKept = false;
      const kept = new Promise<void>((resolve) => {
        void queue.put(entry("1", 0), () => {
          isKept = true;
          resolve();
        });
      });
      // Resolves all the same: nobody can say when the disk takes it.
      await queue.put(entry("2", 0));
      await queue.flush();
      expect(isKept).toBe(false);
      // The kernel may have thrown away what it could not bring to the disk: all is written again.
      written.length = 0;
      mend();
      await queue.flush();
      await kept;
      expect(written).toEqual(["1", "2"]);
    },
  );

  it("makes whoever records wait, and loses nothing", async () => {
    const { queue, kept, mend } = queueOf("block");
    for (const id of ["1", "2", "3"]) await queue.put(entry(id, 0));
    expect(queue.isFull).toBe(true);
    let isDone = false;
    const waiting = queue.put(entry("4", 0)).then(() => {
      isDone = true;
    });
    await queue.flush();
    expect(isDone).toBe(false);
    mend();
    await queue.flush();
    await waiting;
    expect({ kept, dropped: queue.dropped }).toEqual({ kept: ["1", "2", "3", "4"], dropped: 0 });
  });

  it.each([
    ["drop_newest", ["1", "2", "3"]],
    ["drop_oldest", ["2", "3", "4"]],
  ] as const)("gives up one event and counts it, where the policy is %s", async (policy, expected) => {
    const { queue, kept, mend } = queueOf(policy);
    for (const id of ["1", "2", "3"]) void queue.put(entry(id, 0));
    void queue.put(entry("4", 0));
    mend();
    await queue.flush();
    expect({ kept, dropped: queue.dropped }).toEqual({ kept: expected, dropped: 1 });
  });
});

describe("a flood", () => {
  const denied = (address: string): AuditEvent =>
    event("t", { event: "access.denied", outcome: "denied", origin: { requestId: "r", address } });

  it("is one event at its beginning and one with the count of the rest", () => {
    let now = 0;
    const passed: AuditEvent[] = [];
    const gate = new FloodGate(
      (each) => void passed.push(each),
      () => now,
    );
    for (let count = 0; count < 1_000; count += 1) gate.record(denied("10.0.0.1"));
    gate.record(denied("10.0.0.2"));
    expect(passed).toHaveLength(2);
    now = 60_000;
    gate.sweep({ all: false });
    expect(passed).toHaveLength(3);
    expect(passed[2]?.details).toMatchObject({ repeated: 999 });
  });

  it("from all of a network's addresses, and from many networks, stays bounded", () => {
    let passed = 0;
    const gate = new FloodGate(
      () => {
        passed += 1;
        return undefined;
      },
      () => 0,
    );
    for (let count = 0; count < 5_000; count += 1) gate.record(denied(`2001:db8::${count.toString(16)}`));
    expect(passed).toBe(1);
    for (let count = 0; count < 5_000; count += 1) gate.record(denied(`2001:db8:${count.toString(16)}::1`));
    gate.sweep({ all: true });
    expect(passed).toBeLessThan(2_100);
  });
});
