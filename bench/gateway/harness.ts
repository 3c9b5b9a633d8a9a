import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
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
};

/** Runs one round of one phase, Loom and its peers in one go. */
export async function runPhase(harness: string, phase: Phase, server: MeasuredServer): Promise<readonly Row[]> {
  mkdirSync(join(harness, "run"), { recursive: true });
  mkdirSync(join(harness, "results"), { recursive: true });
  const out = join(harness, "results", "loom-latest.json");
  rmSync(out, { force: true });
  const path = phase.dialect === "chat" ? "/openai/v1/chat/completions" : "/proxy/anthropic/v1/messages";
  const ours = `loom|${server.url}${path}|pid=${server.pid}|authorization:Bearer ${server.token}`;
  const args = [phase.phase, "--rounds", "1", "--only", phase.peers.join(","), "--ours", ours, "--out", out];
  await finished(harness, [...args, "--dialect", phase.dialect, ...(phase.args ?? [])]);
  if (!existsSync(out)) throw new Error(`The harness found nothing in the phase ${phase.name}.`);
  const rows = JSON.parse(readFileSync(out, "utf8")) as Row[];
  return rows.map((row) => ({ ...row, phase: phase.name }));
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
