import { readFile, rename } from "node:fs/promises";
import { fail, fault, runProcess, startScriptedModel } from "@loom/testkit";
import { describe, expect, test } from "vitest";
import { engines } from "./kit/engines.testing.ts";
import { environment, PROGRAM, runServer, startServerProcess, takePort } from "./process.testing.ts";
import { REQUEST, send, temporaryDirectory } from "./testing.ts";

const ONE_SENTENCE = /^loom-server: [^\n]+\.\n$/;

async function statusOf(url: string, token: string): Promise<number> {
  return (await send(url, { path: "/readyz", headers: { authorization: `Bearer ${token}` } })).status;
}

test("the server starts, says where it listens and where the token is, and ends with 0 when asked to", async () => {
  await using home = await temporaryDirectory();
  const data = `${home.path}/data`;
  const { process: running, url, token } = await startServerProcess(data, { env: environment(home.path) });
  expect(await statusOf(url, token)).toBe(200);
  running.signal("SIGTERM");
  const { code, stdout, stderr } = await running.exited;
  expect(code).toBe(0);
  expect(stderr).toContain(`The owner's token is in ${data}/owner-token; only this account can read it.`);
  expect(stderr).toContain("No model provider is set up");
  const lines = stdout.trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual(["listening", "request", "closed"]);
});

test.runIf(process.platform !== "win32")("no signal opens a debugger, which would show every key", async () => {
  await using home = await temporaryDirectory();
  const env = environment(home.path, { NODE_OPTIONS: "--inspect-port=127.0.0.1:0" });
  const { process: running, url, token } = await startServerProcess(`${home.path}/data`, { env });
  running.signal("SIGUSR1");
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await statusOf(url, token)).toBe(200);
  running.signal("SIGTERM");
  const { code, stderr } = await running.exited;
  expect([code, stderr]).toEqual([0, expect.not.stringContaining("Debugger")]);
});

test.each(engines)(
  "killed at any moment and started again, the server knows the same token, on $name",
  async (engine) => {
    await using home = await engine.createEmpty();
    const env = environment(home.path, home.env);
    const first = await startServerProcess(`${home.path}/data`, { env });
    first.process.signal("SIGKILL");
    await first.process.exited;
    const second = await startServerProcess(`${home.path}/data`, { env });
    expect(second.token).toBe(first.token);
    expect(await statusOf(second.url, first.token)).toBe(200);
    second.process.signal("SIGTERM");
    expect((await second.process.exited).stderr).not.toContain("owner's token is in");
  },
);

test.each(engines)(
  "servers that start at once on one new database all work, with one token, on $name",
  async (engine) => {
    await using home = await engine.createEmpty();
    const start = () => startServerProcess(`${home.path}/data`, { env: environment(home.path, home.env) });
    const servers = await Promise.all([start(), start(), start()]);
    const token = await readFile(`${home.path}/data/owner-token`, "utf8");
    expect(await Promise.all(servers.map(({ url }) => statusOf(url, token.trim())))).toEqual([200, 200, 200]);
    for (const { process: running } of servers) running.signal("SIGINT");
    const results = await Promise.all(servers.map(({ process: running }) => running.exited));
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0]);
  },
);

describe.runIf(process.platform === "linux").each(engines)(
  "a server on the data directory of another, on $name",
  (engine) => {
    test("says so where they are on SQLite, as long as the other one runs", async () => {
      await using home = await engine.createEmpty();
      const start = () => startServerProcess(`${home.path}/data`, { env: environment(home.path, home.env) });
      const first = await start();
      const second = await start();
      second.process.signal("SIGTERM");
      const beside = await second.process.exited;
      first.process.signal("SIGKILL");
      await first.process.exited;
      const third = await start();
      third.process.signal("SIGTERM");
      const alone = await third.process.exited;
      expect(alone.stderr + alone.stdout).not.toContain("Another server");
      const sentence =
        /Another server runs on the data directory \S+\/data \(process \d+\), [^\n]+: stop all but one, [^\n]+\./;
      expect(sentence.test(beside.stderr)).toBe(home.postgres === undefined);
      expect(sentence.test(beside.stdout)).toBe(home.postgres === undefined);
    });
  },
);

test("SIGHUP begins a log file anew that was moved away, and ends nothing", async () => {
  await using home = await temporaryDirectory();
  const log = `${home.path}/logs/server.log`;
  const start = startServerProcess(`${home.path}/data`, {
    args: ["--log-file", log],
    env: environment(home.path),
  });
  const { process: running, url, token } = await start;
  expect(await statusOf(url, token)).toBe(200);
  await rename(log, `${log}.1`);
  running.signal("SIGHUP");
  const isThere = (): Promise<boolean> =>
    readFile(log).then(
      () => true,
      () => false,
    );
  while (!(await isThere())) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(await statusOf(url, token)).toBe(200);
  running.signal("SIGTERM");
  expect((await running.exited).code).toBe(0);
  const messages = async (file: string): Promise<string[]> =>
    (await readFile(file, "utf8"))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).msg);
  const [old, anew] = [await messages(`${log}.1`), await messages(log)];
  expect([...old, ...anew]).toEqual(["listening", "request", "request", "closed"]);
  // Lines that wait for others when it is told so may be in either.
  expect([old[0], ...anew.slice(-2)]).toEqual(["listening", "request", "closed"]);
});

test("a second signal does not wait for what still runs", async () => {
  await using home = await temporaryDirectory();
  await using model = await startScriptedModel({ script: [fail(fault.neverAnswer())] });
  const env = environment(home.path, { ANTHROPIC_API_KEY: "sk-ant-test", ANTHROPIC_BASE_URL: model.url });
  const args = ["--drain-timeout", "3600"];
  const { process: running, url, token } = await startServerProcess(`${home.path}/data`, { env, args });
  const cut = send(url, {
    method: "POST",
    path: "/proxy/anthropic/complete",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(REQUEST),
  });
  const outcome = expect(cut).rejects.toThrow();
  await model.waitForRequests(1);
  running.signal("SIGTERM");
  await running.waitForOutput(/Stopping/);
  running.signal("SIGTERM");
  expect((await running.exited).code).toBe(143);
  await outcome;
});

describe("what is wrong at the start is said in one sentence, with an exit code that tells what kind it is", () => {
  test.each([
    ["an unknown flag", ["--frobnicate"], {}, 2],
    ["a place that is none", ["--listen", "here"], {}, 2],
    ["a place that everybody can reach", ["--listen", "0.0.0.0:0"], {}, 2],
    ["a wrong variable", [], { LOOM_SERVER_GAP_TIMEOUT: "soon" }, 3],
    ["a key file that is missing", [], { ANTHROPIC_API_KEY_FILE: "/nowhere/key" }, 3],
    ["a certificate that is missing", ["--tls-cert", "/nowhere/c.pem", "--tls-key", "/nowhere/k.pem"], {}, 3],
    ["a log file that cannot be", ["--log-file", "/dev/null/log"], {}, 1],
    ["a data directory that cannot be", ["--data", "/dev/null/data"], {}, 1],
    ["an address of another machine", ["--listen", "192.0.2.1:0", "--allow-insecure-listen"], {}, 1],
    ["a foreign file for the token", ["--owner-token-file", "/etc/passwd"], {}, 1],
  ])("%s", async (_, args, variables, code) => {
    await using home = await temporaryDirectory();
    const result = await runServer(["--listen", "127.0.0.1:0", ...args], environment(home.path, variables));
    expect(result).toMatchObject({ code, stderr: expect.stringMatching(ONE_SENTENCE) });
  });

  test("a port that is in use", async () => {
    await using home = await temporaryDirectory();
    const taken = await takePort();
    const result = await runServer(["--listen", `127.0.0.1:${taken.port}`], environment(home.path));
    taken.release();
    expect(result.code).toBe(1);
    expect(result.stderr).toContain(
      `loom-server: 127.0.0.1:${taken.port} is in use: stop the process that listens there, or choose another port with --listen.\n`,
    );
  });
});

test.runIf(process.platform === "linux")("a disk that is full at the start is said in one sentence too", async () => {
  await using home = await temporaryDirectory();
  // No file can grow beyond 4 KiB: what a full disk is to a database, without one.
  const limited = ["-c", 'ulimit -f 8; exec "$@"', "sh", process.execPath, PROGRAM];
  const args = [...limited, "--listen", "127.0.0.1:0", "--data", `${home.path}/data`];
  const result = await runProcess("sh", args, { env: environment(home.path) });
  expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(ONE_SENTENCE) });
  expect(result.stderr).toContain("disk");
});

test("help and version need no home, no data and no configuration", async () => {
  const help = await runServer(["--help"], { PATH: process.env.PATH ?? "" });
  expect(help).toMatchObject({ code: 0, stderr: "", stdout: expect.stringContaining("--owner-token-file FILE") });
  const version = await runServer(["--version"], { PATH: process.env.PATH ?? "", LOOM_SERVER_GAP_TIMEOUT: "soon" });
  expect(version).toMatchObject({ code: 0, stdout: expect.stringMatching(/^loom-server \d+\.\d+\.\d+\n$/) });
});
