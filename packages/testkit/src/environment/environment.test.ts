import { existsSync, statSync } from "node:fs";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { FakeClock } from "./fake-clock.ts";
import { findFreePort } from "./free-port.ts";
import { createGitRepository } from "./git-repository.ts";
import { runProcess } from "./run-process.ts";
import { createTempHome } from "./temp-home.ts";

test("a temporary home has its XDG directories, for the owner alone, and goes away", async () => {
  const home = await createTempHome();
  for (const dir of [home.configDir, home.dataDir, home.stateDir, home.cacheDir, home.runtimeDir]) {
    expect(dir.startsWith(home.path)).toBe(true);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
  }
  await home.remove();
  expect(existsSync(home.path)).toBe(false);
});

test("a child in a temporary home sees no variable of the parent, runs this Node and a bare git", async () => {
  await using home = await createTempHome();
  process.env.LOOM_TEST_LEAK = "leaked";
  try {
    const program =
      "console.log(JSON.stringify([process.version, process.env.HOME, process.env.LOOM_TEST_LEAK ?? null, process.env.NODE_EXTRA_CA_CERTS ?? null]))";
    const { stdout } = await runProcess("node", ["--eval", program], { env: home.env });
    expect(JSON.parse(stdout)).toEqual([process.version, home.path, null, null]);
  } finally {
    delete process.env.LOOM_TEST_LEAK;
  }
  const { stdout } = await runProcess("git", ["config", "--list", "--show-scope"], { env: home.env, cwd: home.path });
  expect(stdout).toBe("global\tinit.defaultbranch=main\nglobal\tuser.useconfigonly=true\n");
});

test("a repository has its files in one commit, on main, by an author of its own", async () => {
  await using repository = await createGitRepository({ "a.txt": "one\n", "deep/er/b.bin": new Uint8Array([0, 255]) });
  expect(await repository.git("log", "--format=%an <%ae> %s %D")).toBe(
    "Ada Example <ada@example.com> chore: first commit HEAD -> main\n",
  );
  expect(await repository.git("status", "--porcelain")).toBe("");
  await repository.write({ "deep/c.txt": "three\n" });
  expect(await repository.git("status", "--porcelain", "--untracked-files=all")).toBe("?? deep/c.txt\n");
});

test("a repository without files has no commit", async () => {
  await using repository = await createGitRepository({});
  await expect(repository.git("rev-parse", "HEAD")).rejects.toThrow();
});

test("a process gives its code, its signal and both outputs", async () => {
  const result = await runProcess("sh", ["-c", "cat; echo oops >&2; exit 3"], { input: "grüße" });
  expect(result).toEqual({ code: 3, signal: null, stdout: "grüße", stderr: "oops\n", timedOut: false });
  expect(await runProcess("sh", ["-c", "kill -TERM $$"])).toMatchObject({ code: null, signal: "SIGTERM" });
});

test("a process that is too slow is killed with its children, also one that waits for input", async () => {
  // The child holds the output open: the result comes only once it is gone too.
  const result = await runProcess("sh", ["-c", "sleep 600 & cat"], { input: "open", timeoutMs: 300 });
  expect(result).toMatchObject({ signal: "SIGKILL", timedOut: true });
});

test("a command that does not exist is an error", async () => {
  await expect(runProcess("/no/such/command", [])).rejects.toMatchObject({ code: "ENOENT" });
});

test("a free port is one that refuses", async () => {
  const socket = connect(await findFreePort(), "127.0.0.1");
  const code = await new Promise((resolve) =>
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code)),
  );
  expect(code).toBe("ECONNREFUSED");
});

test("a fake clock runs what is due, in order, and nothing else", () => {
  const clock = new FakeClock(1_000);
  const seen: string[] = [];
  const note = (name: string) => () => void seen.push(`${name}@${clock.now()}`);
  clock.setTimeout(note("late"), 50);
  clock.setTimeout(() => {
    note("early")();
    clock.setTimeout(note("nested"), 5);
  }, 10);
  clock.clearTimeout(clock.setTimeout(note("never"), 20));
  clock.advance(30);
  expect(seen).toEqual(["early@1010", "nested@1015"]);
  expect([clock.now(), clock.pending]).toEqual([1_030, 1]);
  clock.advance(20);
  expect(seen.at(-1)).toBe("late@1050");
});
