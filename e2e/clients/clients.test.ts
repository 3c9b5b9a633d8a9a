import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  callTools,
  createTempHome,
  fault,
  type NormalizedRequest,
  type ProcessResult,
  pickCommandTool,
  type Reply,
  runProcess,
  type ScriptedModel,
  say,
  startScriptedModel,
} from "@loom/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LoomServer, PROVIDER_KEYS, startLoomServer } from "../gateway/loom-server.testing.ts";
import { claudeCode } from "./claude-code.testing.ts";
import type { CliClient } from "./cli-client.testing.ts";
import { codex } from "./codex.testing.ts";
import { geminiCli } from "./gemini-cli.testing.ts";
import { opencode } from "./opencode.testing.ts";
import { startWireTap, type WireTap } from "./wire-tap.testing.ts";

/** They start slowly, and a busy machine makes it worse. */
const RUN_MS = 150_000;

const SEAL = "c2VhbCBvZiB0aGUgdGhvdWdodA==";
const PROMPT = "Make the file.";
const BREAK_OFF = "Break off.";

let model: ScriptedModel;
let server: LoomServer;
let tap: WireTap;
beforeAll(async () => {
  model = await startScriptedModel({ script: makeTheFile });
  server = await startLoomServer(model.url);
  tap = await startWireTap(server.url);
});
afterAll(async () => {
  await tap.close();
  await server.close();
  await model.close();
});

/** One call of whatever the client has for commands, then a last word; side errands get a title. */
function makeTheFile({ tools, toolResults, prompt }: NormalizedRequest): Reply {
  const call = pickCommandTool(tools, "printf 'made by a tool' > made.txt");
  if (prompt.includes(BREAK_OFF))
    return say("This is as far as it gets, whatever you do.", { fault: fault.errorEvent(5) });
  if (call === undefined) return say("A title");
  if (toolResults.length > 0) return say("All is done.");
  return callTools([call], { text: "At once.", thinking: { text: "A file is wanted.", signature: SEAL } });
}

type Run = ProcessResult & { readonly made: string | undefined; readonly subject: string };

let runs = 0;

/** The client, in a home and with a token of its own. */
async function run(
  client: CliClient,
  { path, model: name, prompt = PROMPT }: { readonly path: string; readonly model: string; readonly prompt?: string },
): Promise<Run> {
  await using home = await createTempHome();
  const workspace = join(home.path, "work");
  await mkdir(workspace);
  const subject = `client-${++runs}`;
  const token = await server.createToken({ name: subject });
  const place = { home, workspace, token, model: name, baseUrl: tap.url + path };
  const { file, args, env } = await client.prepare(place, prompt);
  const result = await runProcess(file, args, { cwd: workspace, env, timeoutMs: RUN_MS - 10_000 });
  const made = await readFile(join(workspace, "made.txt"), "utf8").catch(() => undefined);
  return { ...result, made, subject };
}

type Case = {
  readonly client: () => CliClient;
  readonly path: string;
  readonly model: string;
  /** Who is asked in the end. */
  readonly upstream: keyof typeof PROVIDER_KEYS;
  /** Whether the provider seals its thoughts and has to get them back. */
  readonly seals: boolean;
  readonly hasSession: boolean;
};

const bearer = () => claudeCode("ANTHROPIC_AUTH_TOKEN");
const key = () => claudeCode("ANTHROPIC_API_KEY");

const CASES: readonly (Case & { readonly name: string })[] = [
  {
    name: "Claude Code at Anthropic's path",
    client: bearer,
    path: "/proxy/anthropic",
    model: "claude-sonnet-5",
    upstream: "anthropic",
    seals: true,
    hasSession: true,
  },
  {
    name: "Claude Code with an API key",
    client: key,
    path: "/anthropic",
    model: "claude-opus-5",
    upstream: "anthropic",
    seals: true,
    hasSession: true,
  },
  {
    name: "Claude Code on Gemini",
    client: bearer,
    path: "/anthropic",
    model: "gemini/gemini-3.1-pro-preview",
    upstream: "gemini",
    seals: true,
    hasSession: true,
  },
  {
    name: "Claude Code on GPT",
    client: bearer,
    path: "/anthropic",
    model: "openai/gpt-5.4",
    upstream: "openai",
    seals: true,
    hasSession: true,
  },
  {
    name: "Codex at OpenAI's path",
    client: codex,
    path: "/proxy/openai/v1",
    model: "gpt-5.4",
    upstream: "openai",
    seals: true,
    hasSession: true,
  },
  {
    name: "Codex on Claude",
    client: codex,
    path: "/openai/v1",
    model: "claude-sonnet-5",
    upstream: "anthropic",
    seals: true,
    hasSession: true,
  },
  {
    name: "Codex on Gemini",
    client: codex,
    path: "/openai/v1",
    model: "gemini-3.1-pro-preview",
    upstream: "gemini",
    seals: true,
    hasSession: true,
  },
  {
    name: "Gemini CLI at Gemini's path",
    client: geminiCli,
    path: "/proxy/gemini",
    model: "gemini-3.1-pro-preview",
    upstream: "gemini",
    seals: true,
    hasSession: false,
  },
  {
    name: "Gemini CLI on GPT",
    client: geminiCli,
    path: "/gemini",
    model: "gpt-5.4",
    upstream: "openai",
    seals: true,
    hasSession: false,
  },
  {
    name: "opencode on Claude",
    client: opencode,
    path: "/openai/v1",
    model: "claude-sonnet-5",
    upstream: "anthropic",
    seals: true,
    hasSession: true,
  },
  {
    name: "opencode at a compatible server",
    client: opencode,
    path: "/proxy/local/v1",
    model: "gpt-5.4",
    upstream: "local",
    seals: false,
    hasSession: true,
  },
];

/** Why a test of this client does not run, behind its name. */
function reason(client: CliClient): string {
  return client.file === undefined ? " (skipped: not installed, npm run clients does it)" : "";
}

describe.each(CASES.map((each) => ({ ...each, title: each.name + reason(each.client()) })))("$title", (each) => {
  const client = each.client();

  test.skipIf(client.file === undefined)(
    "does a turn with a tool call, is accounted for, and never sees the provider's key",
    async () => {
      const from = model.requests.length;
      const heard = tap.heard().length;
      const { code, stdout, stderr, made, subject } = await run(client, each);
      expect({ code, made }, `${stdout}\n${stderr}`).toEqual({ code: 0, made: "made by a tool" });
      expect(stdout).toContain("All is done.");

      const asked = model.requests.slice(from).filter(({ conversation }) => conversation !== undefined);
      for (const { headers } of asked) {
        expect(JSON.stringify(headers)).toContain(PROVIDER_KEYS[each.upstream]);
        expect(JSON.stringify(headers)).not.toContain("lt_");
      }
      const last = asked.find(({ conversation }) => conversation?.toolResults.length === 1);
      expect(JSON.stringify(last?.body).includes(SEAL)).toBe(each.seals);
      const answers = tap.heard().slice(heard);
      for (const secret of Object.values(PROVIDER_KEYS)) expect(answers + stdout + stderr).not.toContain(secret);

      const { groups } = await server.usage(`groupBy=client,upstream,session&subject=${subject}`);
      for (const { key, errors } of groups) {
        expect({ errors, upstream: key[1] }).toEqual({ errors: 0, upstream: each.upstream });
        expect(key[0]).toMatch(client.product);
      }
      // The list of models is asked for outside of any session.
      const group = groups.find(({ tokens }) => tokens.output > 0);
      const session = each.hasSession ? expect.stringMatching(/./) : null;
      expect(group?.key[2]).toEqual(session);
      expect(group?.requests).toBe(asked.length);
      // Nobody has a price for what a server of one's own serves: that is said, and not free.
      if (each.upstream === "local") expect(group?.unpriced).toBe(asked.length);
      else expect(group?.costMicroUsd).toBeGreaterThan(0);
    },
    RUN_MS,
  );
});

describe(`Claude Code${reason(bearer())}`, () => {
  test.skipIf(bearer().file === undefined)(
    "asks Loom for the models and counts tokens there, and its session is the ledger's",
    async () => {
      const from = tap.requests().length;
      await run(bearer(), { path: "/anthropic", model: "claude-sonnet-5", prompt: "/context" });
      const { stdout, subject } = await run(bearer(), { path: "/anthropic", model: "claude-sonnet-5" });
      expect(tap.requests().slice(from)).toEqual(
        expect.arrayContaining([
          expect.stringMatching(/^GET \/anthropic\/v1\/models\?/),
          "POST /anthropic/v1/messages/count_tokens?beta=true",
          "POST /anthropic/v1/messages?beta=true",
        ]),
      );
      const { groups } = await server.usage(`groupBy=session&subject=${subject}`);
      expect(groups.map(({ key: [session] }) => session)).toEqual([JSON.parse(stdout).session_id]);
    },
    2 * RUN_MS,
  );
});

describe(`Codex${reason(codex())}`, () => {
  test.skipIf(codex().file === undefined).each([
    { path: "/proxy/openai/v1", model: "gpt-5.4" },
    { path: "/openai/v1", model: "claude-sonnet-5" },
  ])(
    "gives up on an answer of $model that breaks off, instead of asking for ever",
    async (target) => {
      const from = model.requests.length;
      const { code } = await run(codex(), { ...target, prompt: BREAK_OFF });
      expect(code).toBe(1);
      expect(model.requests.length - from).toBeLessThanOrEqual(2);
    },
    RUN_MS,
  );
});
