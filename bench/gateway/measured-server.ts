import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

export const CHECKOUT = join(import.meta.dirname, "..", "..");
const BUNDLE = join(CHECKOUT, "dist", "loom-server.mjs");
/** Where the harness has its mock. */
const MOCK = "http://127.0.0.1:9100";
/** The proxy's; mock and load have the other one. */
const PROXY_CPU = "0";
const START_MS = 20_000;

export type MeasuredServer = {
  readonly url: string;
  readonly pid: number;
  /** Of a named token with limits of every kind, so that each of them is looked at. */
  readonly token: string;
  stop(): Promise<void>;
};

/** The built server as it stands in production: authentication, policy, limits, reservations, ledger and log are on. */
export async function startMeasuredServer(port: number): Promise<MeasuredServer> {
  if (!existsSync(BUNDLE)) throw new Error(`${BUNDLE} is missing: npm run build.`);
  const directory = mkdtempSync(join(tmpdir(), "loom-gateway-bench-"));
  const args = [BUNDLE, "--listen", `127.0.0.1:${port}`, "--data", join(directory, "data")];
  const child = spawn("taskset", ["-c", PROXY_CPU, process.execPath, ...args, "--log-file", join(directory, "log")], {
    stdio: "ignore",
    env: {
      PATH: process.env.PATH ?? "",
      HOME: directory,
      LOOM_SERVER_ANTHROPIC_BASE_URL: MOCK,
      LOOM_SERVER_ANTHROPIC_API_KEY: "sk-upstream-0123456789",
    },
  });
  const url = `http://127.0.0.1:${port}`;
  try {
    await untilItListens(url, child);
    const owner = readFileSync(join(directory, "data", "owner-token"), "utf8").trim();
    await send(`${url}/api/admin/prices`, owner, "PUT", {
      provider: "anthropic",
      model: "mock-*",
      prices: { input: 3_000_000, output: 15_000_000 },
    });
    const limits = {
      dayMicroUsd: 1_000_000_000_000,
      requestsPerMinute: 1_000_000_000,
      tokensPerMinute: 1_000_000_000,
      concurrency: 1_000_000,
    };
    const { token } = (await send(`${url}/api/tokens`, owner, "POST", { name: "bench", limits })) as { token: string };
    return { url, pid: child.pid ?? 0, token, stop: () => stop(child, directory) };
  } catch (error) {
    await stop(child, directory);
    throw error;
  }
}

async function stop(child: ChildProcess, directory: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }
  rmSync(directory, { recursive: true, force: true });
}

async function untilItListens(url: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_MS;
  while (Date.now() < deadline && child.exitCode === null) {
    const answer = await fetch(`${url}/healthz`, { headers: { connection: "close" } }).catch(() => undefined);
    if (answer !== undefined) return;
    await pause(50);
  }
  throw new Error("loom-server did not start: is its port taken, and is taskset there?");
}

async function send(url: string, token: string, method: string, body: object): Promise<unknown> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", connection: "close" };
  const answer = await fetch(url, { method, headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${url} was answered with ${answer.status}: ${await answer.text()}`);
  return answer.json();
}
