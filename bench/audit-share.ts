import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { environment, type ServerProcess, startServerProcess } from "../apps/server/src/process.testing.ts";
import { type Interval, median, medianInterval } from "./statistics.ts";

export type AuditShare = {
  /** Tokens that ask by turns. */
  readonly askers: number;
  /** For a request that is in no event, in microseconds of CPU: the median of the rounds. */
  readonly request: number;
  /** By how much one that is in an event takes more, in microseconds: the median of the rounds' differences. */
  readonly more: number;
  /** That as a share of the other: the median of the rounds' shares, and where it is with a probability of 95 %. */
  readonly share: number;
  readonly interval: Interval;
  readonly pairs: number;
  readonly rounds: number;
  readonly requests: number;
};

/**
 * Two processes of the same program differ by more than what is looked for, by where their memory is and what was
 * compiled when: so there are many pairs of them.
 */
const PAIRS = 10;
/** Rounds of each pair. */
const ROUNDS = 6;
/** Of each turn; there are four in a round. */
const REQUESTS = 800;
const WARM_UP_TURNS = 4;
const CLIENTS = 16;
/** By then, what a turn has caused beside it is over. */
const REST_MS = 750;
const LIFETIME_MS = 30 * 60_000;

/** What a round has found: CPU of a request without events for it, and how much more it takes with them. */
type Round = { readonly request: number; readonly more: number };

/**
 * What the audit log adds to a gateway request: pairs of fresh servers on SQLite, one with events for requests and one
 * without, get the same requests by turns, in rounds of A B B A and B A A B, so that what drifts falls on both alike. CPU
 * is what the kernel has counted for all threads of each, user and system, until all is stored. Linux only. `quick`: a look.
 */
export async function shareOfRequest(askers: number, { quick }: { readonly quick: boolean }): Promise<AuditShare> {
  const [pairs, rounds] = quick ? [2, 2] : [PAIRS, ROUNDS];
  const provider = await startProvider();
  const found: Round[][] = [];
  try {
    for (let pair = 0; pair < pairs; pair += 1) {
      found.push(await roundsOfPair({ provider: provider.url, askers, rounds, isOffFirst: pair % 2 === 0 }));
      console.error(`pair ${pair + 1} of ${pairs}: ${median(found.at(-1)?.map(shareOf) ?? []).toFixed(4)}`);
    }
  } finally {
    provider.close();
  }
  const all = found.flat();
  const shares = found.map((each) => each.map(shareOf));
  return {
    askers,
    request: median(all.map(({ request }) => request)),
    more: median(all.map(({ more }) => more)),
    share: median(shares.flat()),
    interval: medianInterval(shares, Math.random),
    ...{ pairs, rounds, requests: REQUESTS },
  };
}

function shareOf({ request, more }: Round): number {
  return more / request;
}

async function roundsOfPair(options: {
  readonly provider: string;
  readonly askers: number;
  readonly rounds: number;
  readonly isOffFirst: boolean;
}): Promise<Round[]> {
  const root = await mkdtemp(join(tmpdir(), "loom-bench-"));
  const servers: ServerProcess[] = [];
  const start = async (llm: "off" | "on"): Promise<Asked> => {
    const env = environment(root, {
      LOOM_SERVER_ANTHROPIC_BASE_URL: options.provider,
      LOOM_SERVER_ANTHROPIC_API_KEY: "sk-upstream-0123456789",
      LOOM_SERVER_AUDIT_LLM: llm,
    });
    const server = await startServerProcess(join(root, llm), { env, timeoutMs: LIFETIME_MS });
    servers.push(server);
    return { ...server, tokens: await mint(server, options.askers) };
  };
  try {
    const first = await start(options.isOffFirst ? "off" : "on");
    const second = await start(options.isOffFirst ? "on" : "off");
    const [off, on] = options.isOffFirst ? [first, second] : [second, first];
    for (let turn = 0; turn < WARM_UP_TURNS; turn += 1) for (const server of [first, second]) await costOf(server);
    const found: Round[] = [];
    for (let round = 0; round < options.rounds; round += 1) {
      const [outer, inner] = round % 2 === 0 ? [off, on] : [on, off];
      const costs = { outer: await costOf(outer), inner: (await costOf(inner)) + (await costOf(inner)) };
      costs.outer += await costOf(outer);
      const request = (outer === off ? costs.outer : costs.inner) / 2;
      const withEvents = (outer === off ? costs.inner : costs.outer) / 2;
      found.push({ request, more: withEvents - request });
    }
    return found;
  } finally {
    for (const server of servers) server.process.kill();
    await Promise.all(servers.map(({ process }) => process.exited));
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

/** Microseconds of CPU for each of a turn's requests. */
async function costOf(server: Asked): Promise<number> {
  const before = cpuOf(server.process.pid);
  await load(server, REQUESTS);
  await settle(server);
  await pause(REST_MS);
  return (cpuOf(server.process.pid) - before) / REQUESTS;
}

/** Of all threads, also of those that have ended, in microseconds; to 10 ms (proc_pid_stat(5): utime and stime). */
function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name of the program may hold anything; what follows it does not. State is field 3, utime 14, stime 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * MICROSECONDS_PER_TICK;
}

/** Linux tells programs of 100 ticks a second, whatever it has itself. */
const MICROSECONDS_PER_TICK = 10_000;

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
  // A connection that it closes in the moment in which a request comes on it is a failed request.
  server.keepAliveTimeout = LIFETIME_MS;
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
