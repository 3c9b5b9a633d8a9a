import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { environment, type ServerProcess, startServerProcess } from "../apps/server/src/process.testing.ts";
import { median } from "./statistics.ts";

/** CPU of a server, in microseconds. */
export type AuditShare = {
  /** For a request that is no event of its own: the median of the rounds. */
  readonly request: number;
  /** By how much a request that is one takes more: the median of the differences, each of one round. */
  readonly more: number;
  readonly rounds: number;
  readonly requests: number;
};

const ROUNDS = 16;
const REQUESTS = 1_500;
const WARM_UP = 3_000;
const CLIENTS = 16;
/** By then, what a round has recorded is in the database. */
const REST_MS = 3_000;
const LIFETIME_MS = 30 * 60_000;

/**
 * What the audit log adds to a gateway request: two real servers on SQLite, one with an event for each request and one
 * without, get the same requests by turns; CPU is what the kernel has counted for each, until all is stored. Linux only.
 */
export async function shareOfRequest(): Promise<AuditShare> {
  const root = await mkdtemp(join(tmpdir(), "loom-bench-"));
  const provider = await startProvider();
  const servers: ServerProcess[] = [];
  try {
    const start = async (llm: "off" | "on"): Promise<ServerProcess> => {
      const env = environment(root, {
        LOOM_SERVER_ANTHROPIC_BASE_URL: provider.url,
        LOOM_SERVER_ANTHROPIC_API_KEY: "sk-upstream-0123456789",
        LOOM_SERVER_AUDIT_LLM: llm,
      });
      const server = await startServerProcess(join(root, llm), { env, timeoutMs: LIFETIME_MS });
      servers.push(server);
      await load(server, WARM_UP);
      return server;
    };
    const [off, on] = [await start("off"), await start("on")];
    const costs: number[] = [];
    const differences: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const isOffFirst = round % 2 === 0;
      const first = await costOf(isOffFirst ? off : on);
      const second = await costOf(isOffFirst ? on : off);
      costs.push(isOffFirst ? first : second);
      differences.push(isOffFirst ? second - first : first - second);
    }
    return { request: median(costs), more: median(differences), rounds: ROUNDS, requests: REQUESTS };
  } finally {
    for (const server of servers) server.process.kill();
    await Promise.all(servers.map(({ process }) => process.exited));
    provider.close();
    await rm(root, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function costOf(server: ServerProcess): Promise<number> {
  await pause(REST_MS);
  const before = cpuOf(server.process.pid);
  await load(server, REQUESTS);
  await pause(REST_MS);
  return (cpuOf(server.process.pid) - before) / REQUESTS;
}

/** Microseconds. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  // In hundredths of a second: user, system.
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

async function load(server: ServerProcess, requests: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  let left = requests;
  const client = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await ask(server, agent);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  agent.destroy();
}

const QUESTION = JSON.stringify({
  ...{ model: "claude-sonnet-4-5", max_tokens: 100 },
  messages: [{ role: "user", content: "hello" }],
});
const ANSWER = JSON.stringify({
  ...{ id: "msg_1", type: "message", role: "assistant", model: "claude-sonnet-4-5", stop_reason: "end_turn" },
  content: [{ type: "text", text: "hello" }],
  usage: { input_tokens: 10, output_tokens: 2 },
});

function ask({ url, token }: ServerProcess, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const outgoing = request(`${url}/proxy/anthropic/v1/messages`, { method: "POST", agent, headers });
    outgoing.once("error", reject);
    outgoing.once("response", (answer) => {
      answer.resume();
      if (answer.statusCode !== 200) reject(new Error(`The server answered with ${answer.statusCode}.`));
      answer.once("end", resolve);
    });
    outgoing.end(QUESTION);
  });
}

/** Answers every request at once, with the same. */
async function startProvider(): Promise<{ readonly url: string; close(): void }> {
  const server = createServer((incoming, outgoing) => {
    incoming.resume().once("end", () => {
      outgoing.setHeader("content-type", "application/json");
      outgoing.end(ANSWER);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
