import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  callTool,
  createTempHome,
  type RunningProcess,
  type ScriptedModel,
  say,
  startProcess,
  startScriptedModel,
  type TempHome,
} from "@loom/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LOOM, runLoom, startLoom, threadsOf } from "../../apps/cli/src/testing.ts";
import { engines } from "../../apps/server/src/kit/engines.testing.ts";
import { environment, type ServerProcess, startServerProcess } from "../../apps/server/src/process.testing.ts";
import { type FlakyLine, startFlakyLine } from "./flaky-line.testing.ts";

const hasTerminal = spawnSync("script", ["--version"]).stdout?.includes("util-linux") === true;
const PATIENT = { timeout: 300_000 };

/** A machine of the person: a home of its own, and a line of its own to the server. */
class Machine {
  readonly home: TempHome;
  readonly line: FlakyLine;
  readonly #env: Readonly<Record<string, string>>;

  constructor(home: TempHome, line: FlakyLine, tokenFile: string) {
    this.home = home;
    this.line = line;
    const noCommits = { LOOM_AUTO_COMMIT_ENABLED: "false" };
    this.#env = {
      LOOM_SERVER_URL: line.url,
      LOOM_SERVER_TOKEN_FILE: tokenFile,
      LOOM_TIMEOUTS_CONNECT_SECONDS: "2",
      ...noCommits,
    };
  }

  async loom(...args: string[]) {
    return runLoom(this.home, args, { env: this.#env, timeoutMs: 120_000 });
  }

  start(...args: string[]) {
    return startLoom(this.home, args, { env: this.#env, timeoutMs: 120_000 });
  }

  /** `script` of util-linux gives it a terminal. */
  startInTerminal(): Promise<RunningProcess> {
    const command = `exec '${process.execPath}' '${LOOM}'`;
    const args = ["--quiet", "--return", "--flush", "--command", command, "/dev/null"];
    const env = { ...this.home.env, ...this.#env, NO_COLOR: "1", TERM: "xterm" };
    return startProcess("script", args, { cwd: this.home.path, env, input: "open", timeoutMs: 240_000 });
  }

  files(): ReadonlyMap<string, string> {
    const directory = threadsOf(this.home);
    const names = readdirSync(directory).filter((name) => name.endsWith(".jsonl"));
    return new Map(names.sort().map((name) => [name, readFileSync(join(directory, name), "utf8")]));
  }

  async status(): Promise<{
    readonly pending: number;
    readonly notices: readonly string[];
    readonly failure: unknown;
  }> {
    return JSON.parse((await this.loom("sync", "status", "--json")).stdout);
  }
}

let model: ScriptedModel;
let data: string;
let server: ServerProcess;
const cleanUps: (() => unknown)[] = [];

beforeAll(async () => {
  model = await startScriptedModel({
    script: ({ prompt, turnResults }) =>
      prompt.includes("LOOK UP") && turnResults.length === 0
        ? callTool("search_threads", { query: "pelican", allWorkspaces: true })
        : say("It is noted."),
  });
  data = mkdtempSync(join(tmpdir(), "loom-two-devices-"));
  server = await startServer(data);
});
afterAll(async () => {
  for (const cleanUp of cleanUps) await cleanUp();
  server.process.kill();
  await server.process.exited;
  await model.close();
  rmSync(data, { recursive: true, force: true, maxRetries: 5 });
});

function startServer(directory: string, env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
  return startServerProcess(directory, {
    timeoutMs: 20 * 60_000,
    env: environment(directory, {
      OPENAI_API_KEY: "sk-test-0123456789abcdef",
      LOOM_SERVER_OPENAI_BASE_URL: `${model.url}/v1`,
      LOOM_SERVER_OPENAI_MODEL: "scripted",
      LOOM_SERVER_OPENAI_FAST_MODEL: "scripted-fast",
      ...env,
    }),
  });
}

async function machine(there = server): Promise<Machine> {
  const home = await createTempHome();
  const line = await startFlakyLine(there.url);
  cleanUps.push(
    () => home.remove(),
    () => line[Symbol.asyncDispose](),
  );
  const tokenFile = join(home.path, "token");
  writeFileSync(tokenFile, there.token, { mode: 0o600 });
  return new Machine(home, line, tokenFile);
}

function idIn(stdout: string): string {
  return JSON.parse(stdout).threadId;
}

/** Everything that a machine sent to the threads of the server. */
function sentToThreads({ line }: Machine): string {
  return line
    .requests()
    .filter((request) => !/^POST \/proxy\//.test(request))
    .join("\n");
}

describe("two machines and a server", PATIENT, () => {
  const outcome = "a partition in the middle and a killed sync lose nothing; what was continued on both becomes two";
  test.each(engines)(`${outcome}, on $name`, async (engine) => {
    await using place = await engine.create();
    const there = await startServer(place.path, place.env);
    cleanUps.push(() => there.process.kill());
    const [a, b] = [await machine(there), await machine(there)];
    const project = join(a.home.path, "project");
    mkdirSync(project);
    const onA = ["--workspace", project];
    const begun = await a.loom("-p", "The first words.", "--output-format", "json", ...onA);
    expect(begun).toMatchObject({ code: 0 });
    const id = idIn(begun.stdout);
    // The end of a session does not wait for long, and this machine may be busy.
    expect(await a.loom("sync", "now")).toMatchObject({ code: 0 });
    expect(await b.loom("sync", "now")).toMatchObject({ code: 0 });
    expect(b.files()).toEqual(a.files());

    // The other machine has another directory: the thread goes on in the one that is named.
    renameSync(project, `${project}.away`);
    const elsewhere = await b.loom("resume", id, "-p", "x");
    renameSync(`${project}.away`, project);
    expect(elsewhere).toMatchObject({ code: 11, stderr: expect.stringContaining("--workspace DIR") });

    b.line.cut();
    const offline = await b.loom("sync", "now");
    expect(offline).toMatchObject({ code: 9, stdout: expect.stringContaining(b.line.url) });
    expect(await b.status()).toMatchObject({
      failure: { message: expect.stringMatching(/did not answer within 15 s/) },
    });
    const { code, stdout } = await b.loom("list", "--all");
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining(id) });
    expect(await b.loom("threads", "title", id, "Named offline")).toMatchObject({ code: 0 });
    expect(await a.loom("resume", id, "-p", "Words of a.", ...onA)).toMatchObject({ code: 0 });
    expect(await a.loom("sync", "now")).toMatchObject({ code: 0 });
    b.line.mend();

    // Killed in the middle, at no place in particular.
    const killed = await b.start("sync", "now");
    killed.signal("SIGKILL");
    await killed.exited;
    expect(await b.loom("sync", "now")).toMatchObject({ code: 0 });
    expect(await a.loom("sync", "now")).toMatchObject({ code: 0 });
    expect(b.files()).toEqual(a.files());
    expect(a.files().size).toBe(1);
    const both = [...a.files().values()].join();
    for (const words of ["The first words.", "Words of a.", "Named offline"]) expect(both).toContain(words);

    // Continued on both before either has heard of the other.
    expect(await a.loom("resume", id, "-p", "More words of a.", ...onA)).toMatchObject({ code: 0 });
    expect(await a.loom("sync", "now")).toMatchObject({ code: 0 });
    renameSync(project, `${project}.away`);
    const onB = await b.loom("resume", id, "--workspace", b.home.path, "-p", "More words of b.");
    renameSync(`${project}.away`, project);
    expect(onB).toMatchObject({ code: 0 });
    const said = onB.stderr + (await b.loom("sync", "now")).stdout;
    expect(said.split("continued on another machine as well").length).toBe(2);
    for (const each of [b, a, b]) expect(await each.loom("sync", "now")).toMatchObject({ code: 0 });
    expect(b.files()).toEqual(a.files());
    const all = [...a.files().values()].join();
    for (const words of ["The first words.", "Words of a.", "More words of a.", "More words of b."]) {
      expect(all).toContain(words);
    }
    expect(await a.status()).toMatchObject({ pending: 0 });
    expect(await b.status()).toMatchObject({ pending: 0 });
    there.process.kill();
    await there.process.exited;
  });

  test.runIf(hasTerminal)("a session in a terminal is followed live from elsewhere, turn by turn", async () => {
    const [a, b] = [await machine(), await machine()];
    const terminal = await a.startInTerminal();
    cleanUps.unshift(() => terminal.kill());
    await terminal.waitForOutput(/\/help for help\.[^>]*> /);
    terminal.write("The first words.\r");
    await terminal.waitForOutput(/It is noted\.[^>]*> /);
    const file = () => [...a.files().keys()][0]?.replace(".jsonl", "") ?? "";
    const ask = (path: string, headers: Record<string, string> = {}) =>
      fetch(`${server.url}/api/threads/${file()}${path}`, {
        headers: { authorization: `Bearer ${server.token}`, ...headers },
      });
    // Nobody has asked for a sync: the end of the turn has.
    await expect.poll(async () => (await ask("")).status, { timeout: 60_000 }).toBe(200);
    const live = await ask("/events?after=0");
    const reader = live.body?.pipeThrough(new TextDecoderStream()).getReader();
    let heard = "";
    const until = async (words: string) => {
      while (!heard.includes(words)) heard += (await reader?.read())?.value ?? expect.fail(`never heard ${words}`);
    };
    await until("The first words.");
    // The other machine gets it while the session is open there.
    expect(await b.loom("sync", "now")).toMatchObject({ code: 0 });
    expect([...b.files().values()].join()).toContain("The first words.");
    expect(heard).not.toContain("The second words.");
    terminal.write("The second words.\r");
    await until("The second words.");
    await reader?.cancel();
    terminal.write("\u0004");
    expect(await terminal.exited).toMatchObject({ code: 0 });
    for (const each of [a, b]) expect(await each.loom("sync", "now")).toMatchObject({ code: 0 });
    expect(b.files()).toEqual(a.files());
  });

  test("a private thread is on no wire but the model's, and one that becomes private is taken back", async () => {
    const [a, b] = [await machine(), await machine()];
    const open = idIn((await a.loom("-p", "Said to all.", "--output-format", "json")).stdout);
    await a.loom("sync", "now");
    await b.loom("sync", "now");
    const secret = idIn((await a.loom("private", "-p", "The canary of gold.", "--output-format", "json")).stdout);
    const { code } = await a.loom("sync", "now");
    expect(code).toBe(0);
    expect(readFileSync(join(threadsOf(a.home), `${secret}.jsonl`), "utf8")).toContain("The canary of gold.");
    expect(a.line.requests().join()).toContain("The canary of gold.");
    expect(sentToThreads(a)).toContain("Said to all.");
    expect(sentToThreads(a)).not.toContain("canary");
    expect(sentToThreads(a)).not.toContain(secret);

    expect(await a.loom("share", secret)).toMatchObject({ code: 11, stderr: expect.stringContaining("--undo") });
    expect(await a.loom("threads", "private", open)).toMatchObject({ code: 0 });
    expect(await a.loom("resume", open, "-p", "The canary of silver.")).toMatchObject({ code: 0 });
    expect(await a.loom("sync", "now")).toMatchObject({ code: 0 });
    expect(sentToThreads(a)).not.toContain("canary");
    expect(await b.loom("sync", "now")).toMatchObject({ code: 0 });
    expect([...b.files().keys()]).not.toContain(`${open}.jsonl`);
    expect([...a.files().values()].join()).toContain("Said to all.");
  });

  test("the agent on one machine finds what was said on another one, and can cite it", async () => {
    const [a, b] = [await machine(), await machine()];
    const id = idIn((await a.loom("-p", "We keep the pelican parser.", "--output-format", "json")).stdout);
    await a.loom("sync", "now");
    const search = async () => (await b.loom("search", "pelican")).stdout;
    await expect.poll(search, { timeout: 60_000 }).toContain(id);
    const asked = await b.loom("-p", "LOOK UP", "--output-format", "stream-json");
    expect(asked).toMatchObject({ code: 0 });
    const answers = model.requests.flatMap(({ conversation }) => conversation?.turnResults ?? []);
    expect(answers.map(({ text }) => text).join()).toContain(`${id} ("We keep the pelican parser."), turn 1, user`);
  });

  test("lists, searches and shares reach the server, and go on without it", async () => {
    const [a, b] = [await machine(), await machine()];
    const id = idIn((await a.loom("-p", "Where the walrus lives.", "--output-format", "json")).stdout);
    await a.loom("sync", "now");
    const listed = await b.loom("list", "--all");
    expect(listed).toMatchObject({ code: 0, stdout: expect.stringContaining(`${id}`) });
    expect(listed.stdout).toContain("on the server");
    // The server indexes what it has got a moment later.
    const search = async () => (await b.loom("search", "walrus")).stdout;
    await expect.poll(search, { timeout: 60_000 }).toMatch(/on the server[\s\S]*turn 1, user/);
    expect((await b.loom("search", "walrus", "--json")).stdout).toContain(`"threadId": "${id}"`);
    const shared = await a.loom("share", id, "--expires", "1d");
    expect(shared).toMatchObject({ code: 0 });
    const link = shared.stdout.trim();
    const page = await fetch(link);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain("Where the walrus lives.");
    expect(await a.loom("share", id, "--revoke")).toMatchObject({ code: 0 });
    expect((await fetch(link)).status).toBeGreaterThanOrEqual(400);
    expect(await a.loom("share", id, "--visibility", "public")).toMatchObject({ code: 0 });

    a.line.cut();
    const found = await a.loom("search", "walrus");
    expect(found).toMatchObject({ code: 0, stdout: expect.stringContaining(id) });
    expect(found.stderr).toContain("Shown is what is on this machine.");
  });
});
