import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

const CHECKOUT = join(import.meta.dirname, "..", "..");
const BUNDLE = join(CHECKOUT, "dist", "loom-server.mjs");
const SOURCE = join(CHECKOUT, "apps", "server", "bin", "loom-server.js");

export const PROGRAM = existsSync(BUNDLE) ? BUNDLE : SOURCE;

export type LoomServer = {
  readonly url: string;
  readonly pid: number;
  readonly startedMs: number;
  /** Exit code or signal. */
  readonly ended: Promise<number | string>;
  kill(signal: "SIGKILL" | "SIGTERM"): void;
};

/** Seconds. Short, so that an hour is enough to meet each of them often. */
const DEADLINES = { CONNECT: 2, HEADERS: 3, FIRST_EVENT: 3, GAP: 2, COMPLETE: 6 };
export const DRAIN_SECONDS = 6;
const START_MS = 30_000;

/** Starts the server on the directory and waits until it listens. The same port makes a restart look like one. */
export async function startLoomServer(options: {
  readonly directory: string;
  readonly port: number;
  readonly providerPort: number;
}): Promise<LoomServer> {
  const { directory, port, providerPort } = options;
  const provider = `http://127.0.0.1:${providerPort}/up`;
  const args = ["--listen", `127.0.0.1:${port}`, "--data", join(directory, "data"), "--log-level", "warn"];
  const out = openSync(join(directory, "server.out"), "a");
  const startedMs = Date.now();
  const child = spawn(
    process.execPath,
    // For its heap. It opens no inspector on a signal.
    [
      "--inspect=127.0.0.1:0",
      PROGRAM,
      ...args,
      "--log-file",
      join(directory, "server.log"),
      "--drain-timeout",
      String(DRAIN_SECONDS),
    ],
    {
      stdio: ["ignore", out, out],
      env: {
        PATH: process.env.PATH ?? "",
        HOME: directory,
        ...Object.fromEntries(
          Object.entries(DEADLINES).map(([name, seconds]) => [`LOOM_SERVER_${name}_TIMEOUT`, String(seconds)]),
        ),
        LOOM_SERVER_ANTHROPIC_BASE_URL: `${provider}/anthropic`,
        LOOM_SERVER_ANTHROPIC_API_KEY: "sk-ant-soak-0123456789",
        LOOM_SERVER_OPENAI_BASE_URL: `${provider}/openai/v1`,
        LOOM_SERVER_OPENAI_API_KEY: "sk-soak-0123456789",
        LOOM_SERVER_GEMINI_BASE_URL: `${provider}/gemini`,
        LOOM_SERVER_GEMINI_API_KEY: "gemini-soak-0123456789",
        LOOM_SERVER_ZAI_BASE_URL: `${provider}/zai`,
        LOOM_SERVER_ZAI_API_KEY: "zai-soak-0123456789",
        LOOM_SERVER_COMPATIBLE_LAB_BASE_URL: `${provider}/lab/v1`,
      },
    },
  );
  const orphaned = (): void => void child.kill("SIGKILL");
  process.once("exit", orphaned);
  const ended = new Promise<number | string>((resolve) =>
    child.once("exit", (code, signal) => {
      process.off("exit", orphaned);
      resolve(code ?? signal ?? "unknown");
    }),
  );
  const url = `http://127.0.0.1:${port}`;
  await untilListening(url, child, directory);
  return { url, pid: child.pid ?? 0, startedMs, ended, kill: (signal) => void child.kill(signal) };
}

export function ownerToken(directory: string): string {
  return readFileSync(join(directory, "data", "owner-token"), "utf8").trim();
}

/** One that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

async function untilListening(url: string, child: ChildProcess, directory: string): Promise<void> {
  const deadline = Date.now() + START_MS;
  while (Date.now() < deadline && child.exitCode === null) {
    // Any answer will do; without a token it is a refusal.
    const answer = await fetch(`${url}/healthz`, { headers: { connection: "close" } }).catch(() => undefined);
    await answer?.arrayBuffer().catch(() => undefined);
    if (answer !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.kill("SIGKILL");
  throw new Error(`loom-server did not start: see ${join(directory, "server.out")}.`);
}
