import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { MeasuredServer } from "./measured-server.ts";

/** What the harness found in one phase for one target; which fields there are depends on the phase. */
export type Row = { readonly phase: string; readonly target: string; readonly [field: string]: unknown };

/** As the harness calls them: no proxy at all, nginx, a bare Node proxy with undici, Portkey. */
export const PEERS = ["direct", "nginx", "node24-undici8-dispatch", "portkey"] as const;

export type Phase = {
  readonly name: string;
  /** Of the harness. */
  readonly phase: string;
  readonly dialect: "anthropic" | "chat";
  readonly peers: readonly string[];
  readonly args?: readonly string[];
  /** How often each target is measured, by turns; each is one process all the while. */
  readonly rounds: number;
};

/** How long each measurement waits for the rest of the machine to be quiet. */
const QUIET_SECONDS = "5";

/** Runs all rounds of one phase, Loom and its peers in one go. The first round finds all of them cold. */
export async function runPhase(harness: string, phase: Phase, server: MeasuredServer): Promise<readonly Row[]> {
  mkdirSync(join(harness, "run"), { recursive: true });
  mkdirSync(join(harness, "results"), { recursive: true });
  const out = join(harness, "results", "loom-latest.json");
  rmSync(out, { force: true });
  const path = phase.dialect === "chat" ? "/openai/v1/chat/completions" : "/proxy/anthropic/v1/messages";
  const ours = `loom|${server.url}${path}|pid=${server.pid}|authorization:Bearer ${server.token}`;
  const args = [
    phase.phase,
    "--rounds",
    String(phase.rounds),
    "--only",
    phase.peers.join(","),
    "--ours",
    ours,
    "--out",
    out,
  ];
  await finished(harness, [...args, "--dialect", phase.dialect, "--wait", QUIET_SECONDS, ...(phase.args ?? [])]);
  if (!existsSync(out)) throw new Error(`The harness found nothing in the phase ${phase.name}.`);
  const rows = JSON.parse(readFileSync(out, "utf8")) as Row[];
  // A refusal is cheaper than any answer.
  const refused = rows.filter(({ target, non2xx, bad }) => target === "loom" && Number(non2xx ?? bad ?? 0) > 0);
  if (refused.length > 0) throw new Error(`Loom did not answer every request of the phase ${phase.name}.`);
  return rows.map((row) => ({ ...row, phase: phase.name }));
}

type Storm = {
  readonly points: readonly { readonly aborts: number; readonly rssMB: number }[];
  readonly aborts: number;
};

/** Mock and load have this one, the proxy has the other. */
const LOAD_CPU = "1";
/** Seconds of one run of the harness's abort storm, and how many are waited for. */
const STORM_SECONDS = 30;
const MAX_STORMS = 4;

/** Clients that leave after three chunks, until at least `aborts` have; with the memory every 5 s. */
export async function runAborts(harness: string, server: MeasuredServer, aborts: number): Promise<Row> {
  const mock = spawn("taskset", ["-c", LOAD_CPU, process.execPath, "mock-upstream.mjs"], {
    cwd: harness,
    stdio: "ignore",
    env: { ...process.env, PORT: "9100" },
  });
  const orphaned = (): void => void mock.kill("SIGKILL");
  process.once("exit", orphaned);
  try {
    await pause(700);
    const points: Storm["points"][number][] = [];
    let total = 0;
    for (let run = 0; run < MAX_STORMS && total < aborts; run += 1) {
      const storm = await oneStorm(harness, server);
      for (const point of storm.points) points.push({ ...point, aborts: total + point.aborts });
      total += storm.aborts;
    }
    return { phase: "leak", target: "loom", points, aborts: total };
  } finally {
    process.off("exit", orphaned);
    mock.kill("SIGKILL");
  }
}

async function oneStorm(harness: string, { url, pid, token }: MeasuredServer): Promise<Storm> {
  const target = ["--url", `${url}/proxy/anthropic/v1/messages`, "--header", `authorization: Bearer ${token}`];
  const much = ["--conns", "32", "--duration", String(STORM_SECONDS), "--pid", String(pid)];
  const child = spawn("taskset", ["-c", LOAD_CPU, process.execPath, "load.mjs", "leak", ...target, ...much], {
    cwd: harness,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (data: Buffer) => {
    said += data.toString();
  });
  await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
  return JSON.parse(said) as Storm;
}

function finished(harness: string, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, ["bench.mjs", ...args], {
    cwd: harness,
    stdio: ["ignore", "inherit", "inherit"],
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`The harness ended with ${code}.`))));
  });
}
