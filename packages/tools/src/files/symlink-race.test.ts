import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ToolFailure } from "../failure.ts";
import { RUNNING, temporaryDirectory } from "../testing.ts";
import { supportsHeldDirectories } from "./linux-confinement.ts";
import { LocalFiles } from "./local-files.ts";

/** Lets `directory` be a directory and a symlink to the outside by turns, as fast as it can. */
const SWAP = `
  renameSync("directory", "real");
  renameSync("link", "directory");
  renameSync("directory", "link");
  renameSync("real", "directory");`;

/** Lets `directory`, a symlink, lead inside and outside by turns. */
const RETARGET = `
  symlinkSync("real", "next");
  renameSync("next", "directory");
  symlinkSync("../outside", "next");
  renameSync("next", "directory");`;

/** Times that an access has to succeed and to be refused. So many reads do tell a check by path from a held directory. */
const READS = 1_000;
/** A write waits for the disk. */
const WRITES = 40;
const MAX_ROUNDS = 200_000;

async function contestedWorkspace(turn: string): Promise<{ root: string; outside: string; files: LocalFiles }> {
  const parent = temporaryDirectory();
  const root = join(parent, "workspace");
  const outside = join(parent, "outside");
  const real = turn === SWAP ? "directory" : "real";
  for (const path of [join(root, real, "sub"), join(outside, "sub")]) mkdirSync(path, { recursive: true });
  writeFileSync(join(root, real, "file.txt"), "inside");
  writeFileSync(join(root, real, "sub/deep.txt"), "inside");
  writeFileSync(join(outside, "file.txt"), "outside");
  writeFileSync(join(outside, "sub/deep.txt"), "outside");
  writeFileSync(join(outside, "canary.txt"), "outside");
  symlinkSync(turn === SWAP ? outside : real, join(root, turn === SWAP ? "link" : "directory"));
  const files = new LocalFiles(root);
  const program = `const { renameSync, symlinkSync } = require("node:fs"); console.log("ready"); while (true) {${turn}}`;
  const swapper = spawn(process.execPath, ["-e", program], { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => end(swapper));
  await once(swapper.stdout, "data");
  return { root, outside, files };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}

/** Tries until the access has succeeded and was refused as often as wanted. */
async function contest(
  wanted: number,
  access: (round: number) => Promise<void>,
): Promise<{ done: number; refused: number }> {
  let done = 0;
  let refused = 0;
  for (let round = 0; round < MAX_ROUNDS && (done < wanted || refused < wanted); round += 1) {
    try {
      await access(round);
      done += 1;
    } catch (error) {
      if (!(error instanceof ToolFailure)) throw error;
      if (error.code === "path_outside_workspace") refused += 1;
    }
  }
  return { done, refused };
}

const held = test.skipIf(!supportsHeldDirectories());

held.each([["swapped for a symlink", SWAP] as const, ["a symlink that changes", RETARGET] as const])(
  "no read is led outside by a directory that is %s",
  async (_, turn) => {
    const { files } = await contestedWorkspace(turn);
    const contents = new Set<string>();
    const outcome = await contest(READS, async (round) => {
      const path = round % 2 === 0 ? "directory/file.txt" : "directory/sub/deep.txt";
      const { bytes } = await files.read(path, { startLine: 1, maxBytes: 100, signal: RUNNING });
      contents.add(Buffer.from(bytes).toString());
    });
    expect([...contents]).toEqual(["inside"]);
    expect(Math.min(outcome.done, outcome.refused)).toBe(READS);
  },
);

held("the same race leads a check by path outside, so it is a real one", async () => {
  const { root } = await contestedWorkspace(SWAP);
  const led = () => {
    try {
      const path = join(root, "directory/file.txt");
      return realpathSync(path) === path && readFileSync(path, "utf8") === "outside";
    } catch {
      return false;
    }
  };
  let rounds = 0;
  while (!led() && rounds < 2_000_000) rounds += 1;
  expect(rounds).toBeLessThan(2_000_000);
});

held("no write is led outside, and no directory made there", async () => {
  const { outside, files } = await contestedWorkspace(RETARGET);
  const outcome = await contest(WRITES, async (round) => {
    const path = round % 2 === 0 ? `directory/sub/new-${round}.txt` : `directory/made-${round}/a/b.txt`;
    await files.write(path, Buffer.from("x"), { expected: null, signal: RUNNING });
  });
  expect(readdirSync(outside).sort()).toEqual(["canary.txt", "file.txt", "sub"]);
  expect(readdirSync(join(outside, "sub"))).toEqual(["deep.txt"]);
  expect(Math.min(outcome.done, outcome.refused)).toBe(WRITES);
});

held("no listing is led outside", async () => {
  const { files } = await contestedWorkspace(RETARGET);
  const seen = new Set<string>();
  const outcome = await contest(WRITES, async () => {
    const { entries } = await files.list("directory", { maxResults: 100, signal: RUNNING });
    for (const { path } of entries) seen.add(path);
  });
  expect([...seen].sort()).toEqual(["real/file.txt", "real/sub", "real/sub/deep.txt"]);
  expect(Math.min(outcome.done, outcome.refused)).toBe(WRITES);
});

test.each([["ripgrep", {}] as const, ["javascript", { ripgrep: null }] as const])(
  "no search with %s shows a line from outside",
  async (_, options) => {
    const { root } = await contestedWorkspace(SWAP);
    const files = new LocalFiles(root, options);
    onTestFinished(() => files.close());
    for (let round = 0; round < 30; round += 1) {
      const { matches } = await files.search({
        pattern: "inside|outside",
        path: ".",
        glob: undefined,
        caseSensitive: true,
        maxResults: 100,
        signal: RUNNING,
      });
      expect(matches.filter(({ text }) => text !== "inside")).toEqual([]);
    }
  },
);
