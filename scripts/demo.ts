// `npm run demo`: an agent repairs a small repository, through the real CLI and server, in a temporary home.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createDemoRepository, createTempHome, demoScript, runProcess, startScriptedModel } from "@loom/testkit";

const PROMPT = "make the tests pass";
const LOOM = fileURLToPath(new URL("../apps/cli/bin/loom.js", import.meta.url));
/** Set one of these and the demo runs on a real model; the rest of them goes along. */
const OWN_MODEL = [
  "ANTHROPIC_API_KEY",
  "ANTHROPIC_API_KEY_FILE",
  "OPENAI_API_KEY",
  "OPENAI_API_KEY_FILE",
  "LOOM_OPENAI_BASE_URL",
];
const ALONG = /^LOOM_|^(https?|no|all)_proxy$/i;

type Result = {
  readonly threadId: string | null;
  readonly outcome: string;
  readonly usage: Readonly<Record<string, number>>;
  readonly costMicroUsd: number;
  readonly unpricedRequests: number;
  readonly turns: number;
  readonly durationMs: number;
  readonly error?: { readonly message: string };
};

const home = await createTempHome();
const workspace = await mkdtemp(join(tmpdir(), "loom-demo-"));
const ownModel = OWN_MODEL.some((name) => (process.env[name] ?? "") !== "");
const scripted = ownModel ? undefined : await startScriptedModel({ script: demoScript });
let passed = false;
/** Whether the model's text stands on a line that has not ended yet. */
let lineIsOpen = false;
try {
  await createDemoRepository(workspace);
  console.log(`Repository  ${workspace}`);
  console.log(
    scripted === undefined
      ? "Model       yours, as the environment names it"
      : "Model       scripted: no key is set, so a local server plays the model over the real wire format",
  );
  const before = await runTests();
  console.log(`Tests       ${before.code === 0 ? "pass already" : "fail, as they should"}\n`);
  console.log(`$ loom -p "${PROMPT}"\n`);
  const result = await runAgent(scripted?.url);
  passed = await verdict(result);
} finally {
  await scripted?.close();
  await rm(workspace, { recursive: true, force: true });
  await home.remove();
}
process.exitCode = passed ? 0 : 1;

function runTests() {
  return runProcess("npm", ["test"], { cwd: workspace, env: home.env });
}

function agentEnvironment(scriptedUrl: string | undefined): Record<string, string> {
  if (scriptedUrl !== undefined) {
    return { ...home.env, ANTHROPIC_API_KEY: "scripted", LOOM_SERVER_ANTHROPIC_BASE_URL: scriptedUrl };
  }
  const own = Object.entries(process.env).filter(([name]) => OWN_MODEL.includes(name) || ALONG.test(name));
  return { ...home.env, ...Object.fromEntries(own.map(([name, value]) => [name, value ?? ""])) };
}

/** Runs the CLI as a user's script would, and shows what it does while it does it. */
async function runAgent(scriptedUrl: string | undefined): Promise<Result | undefined> {
  const args = [LOOM, "-p", PROMPT, "--output-format", "stream-json"];
  const child = spawn(process.execPath, args, {
    cwd: workspace,
    env: agentEnvironment(scriptedUrl),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const stop = () => child.kill("SIGINT");
  process.once("SIGINT", stop);
  let result: Result | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const update = JSON.parse(line);
    if (update.type === "result") result = update;
    else show(update);
  }
  process.off("SIGINT", stop);
  return result;
}

function show(update: { readonly type: string; readonly [key: string]: unknown }) {
  if (update.type === "text_delta") {
    process.stdout.write(String(update.text));
    lineIsOpen = true;
    return;
  }
  const line = activity(update);
  if (line === undefined) return;
  console.log(lineIsOpen ? `\n${line}` : line);
  lineIsOpen = false;
}

function activity(update: { readonly type: string; readonly [key: string]: unknown }): string | undefined {
  switch (update.type) {
    case "tool_started":
      return `  • ${update.title}`;
    case "commit":
      return `  ✓ commit ${String(update.sha).slice(0, 9)}  ${String(update.message).split("\n")[0]}\n`;
    case "notice":
      return `  ${update.text}`;
    default:
      return undefined;
  }
}

/** Judges by the tests alone, run once more outside the agent. */
async function verdict(result: Result | undefined): Promise<boolean> {
  const tests = await runTests();
  const log = await runProcess("git", ["log", "--oneline"], { cwd: workspace, env: home.env });
  const [commit = "", ...earlier] = log.stdout.trim().split("\n");
  const changes = await runProcess("git", ["status", "--porcelain"], { cwd: workspace, env: home.env });
  const green = tests.code === 0;
  console.log(`\n\nVerdict     ${green ? "the tests pass" : "the tests do not pass"} (run again outside the agent)`);
  console.log(
    `Commit      ${earlier.length > 0 ? commit : "none"}${changes.stdout === "" ? "" : ", and changes that are not committed"}`,
  );
  if (result !== undefined) {
    const { usage } = result;
    const input = (usage.inputTokens ?? 0) + (usage.cacheReadTokens ?? 0) + (usage.cacheWriteTokens ?? 0);
    console.log(`Tokens      ${input} in, ${usage.outputTokens ?? 0} out, ${result.turns} requests`);
    console.log(`Cost        ${cost(result)}`);
    console.log(`Time        ${(result.durationMs / 1_000).toFixed(1)} s`);
    console.log(`Thread      ${result.threadId ?? "none"}`);
    if (result.error !== undefined) console.log(`Error       ${result.error.message}`);
  }
  if (!green) console.log(`\n${tests.stdout.trim().split("\n").slice(-30).join("\n")}`);
  return green;
}

function cost({ costMicroUsd, unpricedRequests }: Result): string {
  const dollars = `$${(costMicroUsd / 1_000_000).toFixed(6)}`;
  const prices = scripted === undefined ? "" : " at list price; nothing was really spent";
  return unpricedRequests === 0
    ? `${dollars}${prices}`
    : `${dollars}${prices}, and ${unpricedRequests} requests of unknown price`;
}
