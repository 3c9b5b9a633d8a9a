import { type ChildProcess, spawn } from "node:child_process";
import { randomUUIDv7 } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

export type LiveOptions = {
  readonly clients: number;
  readonly listeners: number;
  readonly seconds: number;
  readonly bundle: string;
};

const PERIOD_MS = 200;
/** Before it is measured: V8 compiles what is used much, and takes its time. What is lost then counts all the same. */
const WARM_UP_MS = 5_000;
const START_MS = 30_000;
/** After the last append, for what is still on its way to a listener. */
const SETTLE_MS = 10_000;
const BAR_MS = 50;

/** Many append five events a second each to threads of their own, and some follow these threads: what is lost, and how long an append takes. */
export async function benchLive({ clients, listeners, seconds, bundle }: LiveOptions): Promise<string[][]> {
  console.log(`live: ${clients} clients and ${listeners} listeners, ${seconds} s`);
  const server = await startServer(bundle);
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const call = (method: string, path: string, headers: Record<string, string>, body: string) =>
    exchange({ url: server.url, agent, token: server.token }, method, path, headers, body);
  try {
    const ids = Array.from({ length: clients }, () => `T-${randomUUIDv7()}`);
    for (const id of ids)
      await call("PUT", `/api/threads/${id}`, { "if-none-match": "*" }, JSON.stringify({ records: [header(id)] }));
    const followed = ids.slice(0, listeners).map((id) => followThread(server, id));
    await Promise.all(followed.map(({ open }) => open));
    const latencies: number[] = [];
    let [firstAt, lastAt] = [Number.POSITIVE_INFINITY, 0];
    const ends = await Promise.all(
      ids.map(async (id, index) => {
        let version = 1;
        const start = performance.now() + (PERIOD_MS * index) / clients;
        for (let event = 0; event < (WARM_UP_MS + seconds * 1_000) / PERIOD_MS; event++) {
          await pause(Math.max(0, start + event * PERIOD_MS - performance.now()));
          const from = performance.now();
          // A server that cannot keep up has missed its bar long before.
          if (from - start > WARM_UP_MS + 2 * seconds * 1_000) break;
          const answer = await call(
            "POST",
            `/api/threads/${id}/records`,
            { "if-match": `"${version}"` },
            JSON.stringify({ records: [delta(event)] }),
          );
          if (event >= WARM_UP_MS / PERIOD_MS) {
            lastAt = performance.now();
            firstAt = Math.min(firstAt, from);
            latencies.push(lastAt - from);
          }
          version = (JSON.parse(answer) as { version: number }).version;
        }
        return version;
      }),
    );
    const deadline = Date.now() + SETTLE_MS;
    while (Date.now() < deadline && followed.some(({ versions }, index) => versions.length < (ends[index] ?? 0) - 1))
      await pause(50);
    const wrong = followed.filter(({ versions }, index) => {
      const expected = Array.from({ length: (ends[index] ?? 0) - 1 }, (_, n) => n + 2);
      return JSON.stringify(versions) !== JSON.stringify(expected);
    }).length;
    for (const { close } of followed) close();
    const sorted = latencies.toSorted((a, b) => a - b);
    const [p50, p99] = [0.5, 0.99].map((share) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN);
    const name = `${clients} clients, 5 events a second each, ${listeners} listeners, ${seconds} s`;
    return [
      [
        `${name}: appends`,
        `${latencies.length}, ${((latencies.length * 1_000) / (lastAt - firstAt)).toFixed(0)} a second`,
        "",
        "",
      ],
      ["listeners that lost an event or got one out of order", String(wrong), "0", verdict(wrong === 0)],
      ["append, p50", `${p50?.toFixed(1)} ms`, "", ""],
      ["append, p99", `${p99?.toFixed(1)} ms`, `${BAR_MS} ms`, verdict((p99 ?? Number.NaN) <= BAR_MS)],
    ];
  } finally {
    agent.destroy();
    await server.stop();
  }
}

export function verdict(met: boolean): string {
  return met ? "met" : "missed";
}

function header(id: string): string {
  const createdAt = new Date().toISOString();
  return JSON.stringify({ type: "thread", v: 2, id, createdAt, workspace: "/work", loomVersion: "0.0.0" });
}

function delta(event: number): string {
  const inner = { type: "text_delta", index: 0, text: `words of event ${event}, as they come in` };
  return JSON.stringify({
    type: "event",
    at: new Date().toISOString(),
    event: { type: "llm_event", requestId: 1, event: inner },
  });
}

type Place = { readonly url: string; readonly token: string };

function exchange(
  { url, agent, token }: Place & { readonly agent: Agent },
  method: string,
  path: string,
  headers: Record<string, string>,
  body: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const all = {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      ...headers,
    };
    const outgoing = request(url + path, { method, agent, headers: all }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.once("error", reject);
      response.once("end", () =>
        (response.statusCode ?? 500) < 300
          ? resolve(text)
          : reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`)),
      );
    });
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}

function followThread({ url, token }: Place, id: string) {
  const versions: number[] = [];
  let rest = "";
  const outgoing = request(`${url}/api/threads/${id}/events`, {
    agent: false,
    headers: { authorization: `Bearer ${token}` },
  }).end();
  outgoing.on("error", () => {});
  const open = new Promise<void>((resolve) => {
    outgoing.once("response", (response) => {
      resolve();
      response.on("error", () => {});
      response.setEncoding("utf8").on("data", (chunk: string) => {
        const events = (rest + chunk).split("\n\n");
        rest = events.pop() ?? "";
        for (const event of events) {
          const version = /^id: \d+\.(\d+)\ndata: /.exec(event)?.[1];
          if (version !== undefined) versions.push(Number(version));
        }
      });
    });
  });
  return { versions, open, close: () => void outgoing.destroy() };
}

async function startServer(bundle: string): Promise<Place & { stop(): Promise<void> }> {
  if (!existsSync(bundle)) throw new Error(`${bundle} is missing: npm run build.`);
  const directory = mkdtempSync(join(tmpdir(), "loom-threads-bench-"));
  const port = await freePort();
  const child = spawn(process.execPath, [bundle, "--listen", `127.0.0.1:${port}`, "--data", join(directory, "data")], {
    stdio: "ignore",
    env: { PATH: process.env.PATH ?? "", HOME: directory },
  });
  const orphaned = (): void => {
    child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
  };
  process.once("exit", orphaned);
  child.once("exit", () => process.off("exit", orphaned));
  const url = `http://127.0.0.1:${port}`;
  for (const deadline = Date.now() + START_MS; ; await pause(50)) {
    const answer = await fetch(`${url}/healthz`, { headers: { connection: "close" } }).catch(() => undefined);
    if (answer !== undefined) break;
    if (Date.now() > deadline || child.exitCode !== null) {
      await stop(child, directory);
      throw new Error("loom-server did not start.");
    }
  }
  const token = readFileSync(join(directory, "data", "owner-token"), "utf8").trim();
  return { url, token, stop: () => stop(child, directory) };
}

async function stop(child: ChildProcess, directory: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }
  rmSync(directory, { recursive: true, force: true });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
