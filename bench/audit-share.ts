import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { environment, type ServerProcess, startServerProcess } from "../apps/server/src/process.testing.ts";
import { median } from "./statistics.ts";

/** CPU of a server, in microseconds. */
export type AuditShare = {
  /** Tokens that ask by turns. */
  readonly askers: number;
  /** For a request that is no event of its own: the median of the rounds. */
  readonly request: number;
  /** By how much a request that becomes one takes more: the median of the differences, each of one round. */
  readonly more: number;
  readonly rounds: number;
  readonly requests: number;
};

const ROUNDS = 16;
const REQUESTS = 1_500;
const WARM_UP = 3_000;
const CLIENTS = 16;
/** By then, what a round has caused beside it is over. */
const REST_MS = 2_000;
const LIFETIME_MS = 30 * 60_000;

/**
 * What the audit log adds to a gateway request: two real servers on SQLite, one with an event for each request and one
 * without, get the same requests by turns; CPU is what the kernel has counted for each, until all is stored. Linux only.
 */
export async function shareOfRequest(askers: number): Promise<AuditShare> {
  const root = await mkdtemp(join(tmpdir(), "loom-bench-"));
  const provider = await startProvider();
  const servers: ServerProcess[] = [];
  try {
    const start = async (llm: "off" | "on"): Promise<Asked> => {
      const env = environment(root, {
        LOOM_SERVER_ANTHROPIC_BASE_URL: provider.url,
        LOOM_SERVER_ANTHROPIC_API_KEY: "sk-upstream-0123456789",
        LOOM_SERVER_AUDIT_LLM: llm,
      });
      const server = await startServerProcess(join(root, llm), { env, timeoutMs: LIFETIME_MS });
      servers.push(server);
      const asked = { ...server, tokens: await mint(server, askers) };
      await load(asked, WARM_UP);
      return asked;
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
    return { askers, request: median(costs), more: median(differences), rounds: ROUNDS, requests: REQUESTS };
  } finally {
    for (const server of servers) server.process.kill();
    await Promise.all(servers.map(({ process }) => process.exited));
    provider.close();
    await rm(root, { recursive: true, force: true, maxRetries: 5 });
  }
}

type Asked = ServerProcess & { readonly tokens: readonly string[] };

async function mint({ url, token }: ServerProcess, count: number): Promise<string[]> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const tokens: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const body = JSON.stringify({ name: `asker-${index}` });
    const answer = await fetch(`${url}/api/tokens`, { method: "POST", headers, body });
    if (!answer.ok) throw new Error(`A token was refused with ${answer.status}.`);
    tokens.push(((await answer.json()) as { token: string }).token);
  }
  return tokens;
}

/** Whoever asks for the newest event has all of them written before. */
async function settle({ url, token }: Asked): Promise<void> {
  const answer = await fetch(`${url}/api/admin/audit?limit=1`, { headers: { authorization: `Bearer ${token}` } });
  if (!answer.ok) throw new Error(`The audit log answered with ${answer.status}.`);
  await answer.arrayBuffer();
}

async function costOf(server: Asked): Promise<number> {
  await settle(server);
  await pause(REST_MS);
  const before = cpuOf(server.process.pid);
  await load(server, REQUESTS);
  await settle(server);
  await pause(REST_MS);
  return (cpuOf(server.process.pid) - before) / REQUESTS;
}

/** Of all threads there are, in microseconds. */
function cpuOf(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  // The first number is what a thread has had of a CPU, in nanoseconds.
  const times = threads.map((id) => Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, "utf8").split(" ")[0]));
  return times.reduce((sum, time) => sum + time, 0) / 1_000;
}

async function load(server: Asked, requests: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  let left = requests;
  const client = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await ask(server.url, server.tokens[left % server.tokens.length] ?? "", agent);
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

function ask(url: string, token: string, agent: Agent): Promise<void> {
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
