// One machine's sync, in a process of its own, so that its time and memory are its own: prints both as JSON.
import { readFileSync } from "node:fs";
import { createThreadsClient } from "@loom/api/threads-client";
import { serverRemote } from "@loom/threads/server-remote";
import { ThreadSync } from "@loom/threads/sync";

const [directory = "", stateDirectory = "", baseUrl = "", tokenFile = ""] = process.argv.slice(2);
const token = readFileSync(tokenFile, "utf8").trim();
const client = createThreadsClient({ baseUrl, token: () => token });
const remote = serverRemote(client);
const sync = new ThreadSync({ directory, stateDirectory, remote, now: Date.now, random: Math.random });
const before = process.memoryUsage().rss;
const start = performance.now();
const outcome = await sync.run({ signal: new AbortController().signal, hurry: true });
const ms = performance.now() - start;
client.close();
const { user, system } = process.cpuUsage();
const peak = process.resourceUsage().maxRSS * 1024;
console.log(
  JSON.stringify({ outcome, ms, cpuMs: (user + system) / 1_000, before, peak, pending: sync.status().pending }),
);
