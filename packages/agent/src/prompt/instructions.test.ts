import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEFAULT_LIMITS } from "@loom/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { prepareAgent } from "./agent-settings.ts";
import { MAX_INSTRUCTION_BYTES, readInstructions, renderInstructions } from "./instructions.ts";
import { findRepository } from "./repository.ts";

let home: string;
let repository: string;
let workspace: string;

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "loom-")));
  repository = join(home, "repository");
  workspace = join(repository, "packages", "engine");
  mkdirSync(workspace, { recursive: true });
  mkdirSync(join(repository, ".git"));
  writeFileSync(join(repository, ".git", "HEAD"), "ref: refs/heads/feature/x\n");
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const read = () => readInstructions({ workspace, configDirectory: join(home, "config") });
const write = (directory: string, text: string | Buffer) => {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "AGENTS.md"), text);
};

describe("instruction files", () => {
  test("are read from the person's own to the nearest, and not from above the repository", () => {
    write(home, "not mine");
    write(join(home, "config"), "own");
    write(repository, "\ufeffroot\n");
    write(workspace, "near");
    const { files, notices } = read();
    expect(files.map(({ name, text }) => [name, text])).toEqual([
      [join(home, "config", "AGENTS.md"), "own"],
      ["AGENTS.md", "root"],
      ["packages/engine/AGENTS.md", "near"],
    ]);
    expect(notices).toEqual([]);
    expect(renderInstructions(files)).toContain(
      '<instructions file="packages/engine/AGENTS.md">\nnear\n</instructions>',
    );
  });

  test("outside of a repository are only those of the workspace", () => {
    rmSync(join(repository, ".git"), { recursive: true });
    write(repository, "root");
    write(workspace, "near");
    expect(read().files.map(({ text }) => text)).toEqual(["near"]);
  });

  test("that are too long together are cut, the general ones first, and say so", () => {
    write(repository, "é".repeat(MAX_INSTRUCTION_BYTES));
    write(workspace, "n".repeat(1_001));
    const { files, notices } = read();
    expect(files.map(({ text }) => Buffer.byteLength(text))).toEqual([MAX_INSTRUCTION_BYTES - 1_002, 1_001]);
    expect(files[0]?.text).toMatch(/^é+$/);
    expect(notices).toEqual([
      `AGENTS.md is cut: only ${MAX_INSTRUCTION_BYTES - 1_002} of its ${2 * MAX_INSTRUCTION_BYTES} bytes are used.`,
    ]);
    expect(renderInstructions(files)).toContain("[cut here: 31766 of 65536 bytes; the rest is in AGENTS.md]");
  });

  test("do not lead out of the repository through a link, inside of it they do", () => {
    writeFileSync(join(home, "secret.txt"), "password");
    writeFileSync(join(repository, "CLAUDE.md"), "shared");
    symlinkSync(join(home, "secret.txt"), join(repository, "AGENTS.md"));
    symlinkSync("../../CLAUDE.md", join(workspace, "AGENTS.md"));
    const { files, notices } = read();
    expect(files.map(({ text }) => text)).toEqual(["shared"]);
    expect(notices).toEqual(["AGENTS.md is left out: it is a link to a place outside of the repository."]);
  });

  test("that are no text, no file, or a pipe that never ends are passed over", () => {
    write(workspace, Buffer.from([0x50, 0x4b, 0, 3]));
    mkdirSync(join(repository, "AGENTS.md"));
    mkdirSync(join(home, "config"));
    execFileSync("mkfifo", [join(home, "config", "AGENTS.md")]);
    expect(read()).toEqual({
      files: [],
      notices: ["packages/engine/AGENTS.md is left out: it is not a text file."],
    });
    expect(renderInstructions([])).toBe("");
  });
});

describe("the repository", () => {
  test("is found from any directory in it, with its branch", () => {
    expect(findRepository(workspace)).toEqual({ root: repository, branch: "feature/x" });
    writeFileSync(join(repository, ".git", "HEAD"), "0123456789abcdef0123456789abcdef01234567\n");
    expect(findRepository(workspace)).toEqual({ root: repository, branch: undefined });
  });

  test("of a worktree is followed to where its HEAD is", () => {
    mkdirSync(join(repository, ".git", "worktrees", "engine"), { recursive: true });
    writeFileSync(join(repository, ".git", "worktrees", "engine", "HEAD"), "ref: refs/heads/other\n");
    writeFileSync(join(workspace, ".git"), "gitdir: ../../.git/worktrees/engine\n");
    expect(findRepository(workspace)).toEqual({ root: workspace, branch: "other" });
  });
});

test("the settings of a run hold the prompt, the instructions and the limits", () => {
  write(workspace, "Use tabs.");
  const prepared = prepareAgent({
    workspace,
    model: "default",
    tools: [],
    maxTokens: 8_000,
    limits: { maxTurns: 3 },
    autoCommit: true,
    now: Date.UTC(2026, 10, 20, 23, 59),
  });
  expect(prepared.instructionFiles).toEqual(["packages/engine/AGENTS.md"]);
  expect(prepared.settings.limits).toEqual({ ...DEFAULT_LIMITS, maxTurns: 3 });
  for (const part of ["Date: 2026-11-20", "on branch feature/x", "Use tabs.", "Do not commit"]) {
    expect(prepared.settings.system).toContain(part);
  }
});
