import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createThreadStore, type ThreadStore } from "@loom/threads";
import { environment, startServerProcess } from "../apps/server/src/process.testing.ts";
import { TurnWriter } from "../packages/threads/src/long-thread.testing.ts";
import { machine, table } from "./markdown.ts";
import { median } from "./statistics.ts";
import { writeBetweenMarkers } from "./write-docs.ts";

const DEVICE = fileURLToPath(new URL("sync-device.ts", import.meta.url));
const PROGRAM = fileURLToPath(new URL("../dist/loom-server.mjs", import.meta.url));
const DOCUMENT = fileURLToPath(new URL("../docs/benchmarks.md", import.meta.url));
const MEGABYTE = 1_000_000;
const THREADS = 1_000;
/** Before those that are measured: a server that stays has compiled by then what it uses much. Each machine's process is new. */
const EARLIER = 200;
const TURNS = 4;
const LONG_BYTES = 50 * MEGABYTE;
const ROUNDS = 3;
const LIFETIME_MS = 30 * 60_000;

type Run = {
  readonly outcome: { readonly type: string; readonly settled?: number };
  readonly ms: number;
  readonly before: number;
  readonly peak: number;
  readonly pending: number;
};

/** Measures how fast 1,000 threads go to a server and come down from it, on loopback, and with how much memory. */
export async function benchSync({ writeDocs, quick }: { readonly writeDocs: boolean; readonly quick: boolean }) {
  if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: npm run build.`);
  const up: number[] = [];
  const down: number[] = [];
  const again: number[] = [];
  const memory: number[] = [];
  let bytes = 0;
  let resumed = "";
  let long = "";
  for (let round = 0; round < (quick ? 1 : ROUNDS + 1); round++) {
    const root = mkdtempSync(join(tmpdir(), "loom-bench-"));
    const data = join(root, "server");
    const server = await startServerProcess(data, { env: environment(root), timeoutMs: LIFETIME_MS, program: PROGRAM });
    try {
      const [a, b] = ["a", "b"].map((name) => new Device(join(root, name), server.url, join(data, "owner-token")));
      if (a === undefined || b === undefined) throw new Error("there are no devices");
      if (round === 0 && !quick) {
        resumed = await resume(a);
        long = await one(a);
        continue;
      }
      await a.fill(EARLIER);
      await a.sync();
      bytes = await a.fill(THREADS);
      const sent = await a.sync();
      up.push((THREADS / sent.ms) * 1_000);
      memory.push(sent.peak - sent.before);
      down.push(((EARLIER + THREADS) / (await b.sync()).ms) * 1_000);
      again.push((await a.sync()).ms);
    } finally {
      server.process.kill();
      await server.process.exited;
      rmSync(root, { recursive: true, force: true, maxRetries: 5 });
    }
  }
  const rows = [
    ["1,000 threads", `median of ${up.length}`, "bar"],
    ["sent to a server", `${median(up).toFixed(0)} threads/s`, "200 threads/s"],
    ["got by another machine", `${median(down).toFixed(0)} threads/s`, ""],
    ["a round in which nothing has changed", `${median(again).toFixed(0)} ms`, ""],
    ["memory beyond that of a process which only begins", `${(median(memory) / MEGABYTE).toFixed(0)} MB`, ""],
    ...(quick
      ? []
      : [
          ["killed (SIGKILL) in the middle and run again", resumed, "goes on"],
          ["one thread of 50 MB", long, ""],
        ]),
  ];
  const text = [
    `On ${machine()}; ${THREADS} threads of ${TURNS} turns (${(bytes / MEGABYTE).toFixed(1)} MB in all) after ${EARLIER} others, loom-server with`,
    "SQLite and the sync as processes of their own, HTTP over loopback. `npm run build && npm run bench -- --sync`.",
    "",
    table(rows),
  ].join("\n");
  console.log(text);
  if (writeDocs) writeBetweenMarkers(DOCUMENT, text, "sync");
}

class Device {
  readonly store: ThreadStore;
  readonly #args: readonly string[];
  readonly #state: string;

  constructor(home: string, url: string, tokenFile: string) {
    const directory = join(home, "threads");
    this.store = createThreadStore({ directory });
    this.#state = join(home, "sync");
    this.#args = [DEVICE, directory, this.#state, url, tokenFile];
  }

  async fill(threads: number): Promise<number> {
    let bytes = 0;
    for (let n = 0; n < threads; n++) {
      const writer = this.store.create({ workspace: "/work", loomVersion: "0.0.0" });
      const turns = new TurnWriter(writer);
      for (let turn = 0; turn < TURNS; turn++) turns.turn(`thread ${n}, turn ${turn}`, "a line of output\n".repeat(20));
      await writer.close();
      bytes += statSync(writer.file).size;
    }
    return bytes;
  }

  async sync(): Promise<Run> {
    const { stdout } = await promisify(execFile)(process.execPath, this.#args);
    const run: Run = JSON.parse(stdout);
    if (run.outcome.type !== "done" || run.pending > 0) throw new Error(`The sync did not come to its end: ${stdout}`);
    return run;
  }

  /** A sync that is killed when it has remembered so many threads. */
  async syncAndKill(threads: number): Promise<void> {
    const child = spawn(process.execPath, this.#args, { stdio: "ignore" });
    const ended = once(child, "close");
    while (child.exitCode === null && this.remembered() < threads)
      await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill("SIGKILL");
    await ended;
  }

  remembered(): number {
    try {
      return readFileSync(join(this.#state, "journal.jsonl"), "utf8").split('"seen"').length - 1;
    } catch {
      return 0;
    }
  }
}

async function resume(device: Device): Promise<string> {
  await device.fill(THREADS);
  await device.syncAndKill(THREADS / 2);
  const done = device.remembered();
  const { outcome } = await device.sync();
  return `${done} remembered, the ${outcome.settled} others looked at`;
}

async function one(device: Device): Promise<string> {
  const writer = device.store.create({ workspace: "/work", loomVersion: "0.0.0" });
  const turns = new TurnWriter(writer);
  for (let n = 0; n === 0 || statSync(writer.file).size < LONG_BYTES; n++) {
    turns.turn(
      `turn ${n}`,
      Array.from({ length: 6 }, (_, block) => `block ${n} ${block} `.repeat(400)),
    );
  }
  await writer.close();
  const { ms, peak, before } = await device.sync();
  return `${(ms / 1_000).toFixed(1)} s, ${((peak - before) / MEGABYTE).toFixed(0)} MB of memory`;
}
