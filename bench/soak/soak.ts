import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { metric, type NamedTokens, setUp, usageTotal } from "./admin.ts";
import { type Asked, ask, closeConnections } from "./ask.ts";
import { heapInUse } from "./heap.ts";
import { holdersIn, readBooks } from "./ledger-rows.ts";
import { DRAIN_SECONDS, freePort, type LoomServer, ownerToken, startLoomServer } from "./loom-server.ts";
import type { SoakOptions } from "./options.ts";
import { processState } from "./process-state.ts";
import { type ProviderProcess, startProvider } from "./provider-process.ts";
import { reconcile } from "./reconcile.ts";
import { type Findings, report } from "./report.ts";
import type { Restart } from "./restarts.ts";
import { plateauOf, type Sample, sampleOf } from "./samples.ts";
import { createTraffic } from "./traffic.ts";

const MINUTE = 60_000;
const TICK_MS = 20;
const SAMPLE_MS = 5_000;
/** How often, and for how long, another process holds the database's write lock. */
const LOCK_EVERY_MS = 40_000;
const LOCK_MS = 3_000;
/** More than so many at once would measure this program. */
const MAX_OPEN = 400;
/** Idle connections to a provider are given up after 30 s. */
const IDLE_MS = 50_000;

/** Runs the whole soak. Gives 0 when everything holds, else 1. */
export async function soak(options: SoakOptions): Promise<number> {
  const directory = options.keep ?? mkdtempSync(join(tmpdir(), "loom-soak-"));
  mkdirSync(directory, { recursive: true });
  const provider = await startProvider();
  const run = new Soak(options, directory, provider);
  try {
    const holds = report(await run.run(), directory);
    if (holds && options.keep === undefined) rmSync(directory, { recursive: true, force: true });
    return holds ? 0 : 1;
  } finally {
    run.abandon();
    provider.stop();
  }
}

class Soak {
  readonly #options: SoakOptions;
  readonly #directory: string;
  readonly #provider: ProviderProcess;
  readonly #database: string;
  readonly #asked: Asked[] = [];
  readonly #open = new Set<Promise<void>>();
  readonly #restarts: Restart[] = [];
  readonly #deadHolders = new Set<string>();
  readonly #problems: string[] = [];
  #samples: Sample[] = [];
  #cpuSeconds = 0;
  #server: LoomServer | undefined;
  #url = "";
  #skipped = 0;
  #sent = 0;
  #locks = 0;
  #busy: Promise<void> = Promise.resolve();

  constructor(options: SoakOptions, directory: string, provider: ProviderProcess) {
    this.#options = options;
    this.#directory = directory;
    this.#provider = provider;
    this.#database = join(directory, "data", "loom-server.sqlite");
  }

  async run(): Promise<Findings> {
    const port = await freePort();
    const start = (): Promise<LoomServer> =>
      startLoomServer({ directory: this.#directory, port, providerPort: this.#provider.port });
    this.#server = await start();
    this.#url = this.#server.url;
    const owner = ownerToken(this.#directory);
    const tokens = await setUp(this.#url, owner);
    // The database is opened two seconds after the start at the latest.
    await pause(4_000);
    const before = processState(this.#server.pid);

    const startedMs = Date.now();
    const { minutes } = this.#options;
    const timers = [
      setInterval(() => this.#sample(), SAMPLE_MS),
      setInterval(() => this.#say(startedMs), MINUTE),
      setInterval(() => this.#inTurn(() => this.#lock()), LOCK_EVERY_MS),
    ];
    // Only in the first half: then one process has to bear the rest, and its memory is looked at.
    const restarts = this.#restartTimes();
    const waiting = restarts.map((ms, index) =>
      setTimeout(() => this.#inTurn(() => this.#restart(index % 2 === 0 ? "kill" : "drain", start)), ms),
    );
    await this.#traffic(startedMs + minutes * MINUTE, tokens);
    for (const timer of timers) clearInterval(timer);
    for (const timer of waiting) clearTimeout(timer);
    await this.#busy;
    await Promise.all(this.#open);
    const endedMs = Date.now();
    this.#say(startedMs);
    closeConnections();
    return this.#settle({ owner, tokens, before, startedMs, endedMs });
  }

  /** For an end that comes too early. */
  abandon(): void {
    this.#server?.kill("SIGKILL");
  }

  async #traffic(untilMs: number, tokens: NamedTokens): Promise<void> {
    const next = createTraffic(this.#options.seed);
    const startedMs = Date.now();
    while (Date.now() < untilMs) {
      const due = Math.floor(((Date.now() - startedMs) / 1000) * this.#options.rps);
      for (; this.#sent < due; this.#sent += 1) {
        if (this.#open.size >= MAX_OPEN) {
          this.#skipped += 1;
          continue;
        }
        const wish = next(this.#sent);
        const one = ask(this.#url, tokens.secrets.get(wish.token) ?? "", wish).then((asked) => {
          this.#asked.push(asked);
          this.#open.delete(one);
        });
        this.#open.add(one);
      }
      await pause(TICK_MS);
    }
  }

  #restartTimes(): number[] {
    const { minutes, restartEvery } = this.#options;
    const count = Math.max(2, Math.floor(minutes / 2 / restartEvery));
    return Array.from({ length: count }, (_, index) => ((index + 1) * minutes * MINUTE) / 2 / count);
  }

  /** A kill while the database is locked would be two faults in one. */
  #inTurn(work: () => Promise<void>): void {
    this.#busy = this.#busy.then(work).catch((error: unknown) => void this.#problems.push(String(error)));
  }

  async #restart(kind: Restart["kind"], start: () => Promise<LoomServer>): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#sample();
    this.#cpuSeconds += this.#samples.at(-1)?.cpuSeconds ?? 0;
    const open = this.#open.size;
    const atMs = Date.now();
    server.kill(kind === "kill" ? "SIGKILL" : "SIGTERM");
    const exit = await server.ended;
    const goneMs = Date.now();
    this.#holdersAfter(kind);
    this.#server = await start();
    this.#samples = [];
    this.#restarts.push({ kind, atMs, goneMs, backMs: Date.now(), exit, open });
    if (kind === "kill") return;
    if (exit !== 0) this.#problems.push(`after SIGTERM the server ended with ${exit}`);
    const seconds = (goneMs - atMs) / 1000;
    if (seconds > DRAIN_SECONDS + 3) this.#problems.push(`after SIGTERM the server took ${seconds.toFixed(1)} s`);
  }

  /** Only a process that was killed may leave something held, until its lease is over. */
  #holdersAfter(kind: Restart["kind"]): void {
    const holders = holdersIn(this.#database);
    const unexpected = holders.filter((holder) => !this.#deadHolders.has(holder));
    if (kind === "kill") for (const holder of holders) this.#deadHolders.add(holder);
    else if (unexpected.length > 0) this.#problems.push("after SIGTERM something is still held");
  }

  async #lock(): Promise<void> {
    const file = join(import.meta.dirname, "lock-database.ts");
    const child = spawn(process.execPath, [file, this.#database, String(LOCK_MS)], {
      stdio: ["ignore", "inherit", "ignore"],
    });
    await new Promise((resolve) => child.once("exit", resolve));
    this.#locks += 1;
  }

  #sample(): void {
    const sample = this.#server && sampleOf(this.#server.pid, Date.now());
    if (sample !== undefined) this.#samples.push(sample);
  }

  #say(startedMs: number): void {
    const minutes = ((Date.now() - startedMs) / MINUTE).toFixed(1);
    const { rssMegabytes = 0 } = this.#samples.at(-1) ?? {};
    const whole = this.#asked.filter((each) => each.whole).length;
    console.log(
      `${minutes} min: ${this.#sent} sent, ${whole} whole, ${this.#open.size} open, ${this.#skipped} skipped, ` +
        `${this.#restarts.length} restarts, ${this.#locks} locks, ${rssMegabytes.toFixed(0)} MB, ${this.#problems.length} problems`,
    );
  }

  async #settle(known: {
    readonly owner: string;
    readonly tokens: NamedTokens;
    readonly before: ReturnType<typeof processState>;
    readonly startedMs: number;
    readonly endedMs: number;
  }): Promise<Findings> {
    const { owner, tokens, before, startedMs, endedMs } = known;
    const server = this.#server;
    if (server === undefined) throw new Error("The server is gone.");
    const plateau = plateauOf(this.#samples, endedMs - ((endedMs - startedMs) * 3) / 8);
    this.#sample();
    const cpuSeconds = this.#cpuSeconds + (this.#samples.at(-1)?.cpuSeconds ?? 0);
    const deadline = Date.now() + IDLE_MS;
    let provider = await this.#provider.state();
    while ((provider.connections > 0 || provider.open > 0) && Date.now() < deadline) {
      await pause(500);
      provider = await this.#provider.state();
    }
    const after = processState(server.pid);
    const metrics = {
      open: await metric(server.url, owner, "loom_gateway_requests_open"),
      unwrittenRows: await metric(server.url, owner, "loom_ledger_unwritten_rows"),
      heapMegabytes: (await heapInUse(this.#directory)) / 2 ** 20,
      droppedRows: (await metric(server.url, owner, "loom_ledger_dropped_rows_total")) ?? 0,
    };
    const usage = await usageTotal(server.url, owner);
    server.kill("SIGTERM");
    const exit = await server.ended;
    this.#server = undefined;
    if (exit !== 0) this.#problems.push(`at the end the server ended with ${exit}`);
    this.#holdersAfter("drain");
    const books = readBooks(this.#database);
    const reconciliation = reconcile({
      asked: this.#asked,
      served: this.#provider.served,
      rows: books.rows,
      restarts: this.#restarts,
      sums: provider.sums,
    });
    return {
      options: this.#options,
      startedMs,
      endedMs,
      asked: this.#asked,
      served: this.#provider.served,
      skipped: this.#skipped,
      locks: this.#locks,
      restarts: this.#restarts,
      books,
      tokenIds: tokens.ids,
      provider,
      reconciliation,
      before,
      after,
      metrics,
      usage,
      plateau,
      cpuShare: cpuSeconds / ((endedMs - startedMs) / 1000),
      problems: this.#problems,
    };
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
