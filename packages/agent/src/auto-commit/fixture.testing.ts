import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createGitRepository, createTempHome, type GitRepository, type TempHome } from "@loom/testkit";
import type { ChangedFiles } from "@loom/tools";
import { call, succeeded } from "../session.testing.ts";
import type { FinishedTool, HookReport, ModelClient, PostToolsHook } from "../session-types.ts";
import { createAutoCommit } from "./create-auto-commit.ts";

/** A call that has ended, with what it says of its changes. */
export function tool(changed: ChangedFiles): FinishedTool {
  return { call: call("a"), outcome: succeeded("", true).outcome, changed };
}

export function begin(hook: PostToolsHook): Promise<void> {
  return hook.beforeTools(new AbortController().signal);
}

/** A repository with one commit, and a home, for one test. */
export class Fixture implements AsyncDisposable {
  readonly home: TempHome;
  readonly repository: GitRepository;

  private constructor(home: TempHome, repository: GitRepository) {
    this.home = home;
    this.repository = repository;
  }

  static async create(files: Record<string, string> = FILES): Promise<Fixture> {
    return new Fixture(await createTempHome(), await createGitRepository(files));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.repository.remove();
    await this.home.remove();
  }

  git(...args: string[]): Promise<string> {
    return this.repository.git(...args);
  }

  at(path: string): string {
    return join(this.repository.path, path);
  }

  write(path: string, text: string): void {
    writeFileSync(this.at(path), text);
  }

  /** Paths in the newest commit. */
  async committed(): Promise<string[]> {
    const names = await this.git("show", "--name-only", "--no-renames", "--format=", "-z", "HEAD");
    return names.split("\0").filter((name) => name !== "");
  }

  status(): Promise<string> {
    return this.git("status", "--porcelain");
  }

  async commits(): Promise<number> {
    return Number(await this.git("rev-list", "--count", "HEAD"));
  }

  hookScript(name: string, script: string): void {
    const file = this.at(`.git/hooks/${name}`);
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
  }

  /** A call of `edit_file`: writes the file, and knows what it changed. */
  edits(path: string, change: (text: string) => string): FinishedTool {
    const before = readFileSync(this.at(path));
    const after = Buffer.from(change(before.toString()));
    writeFileSync(this.at(path), after);
    return { ...tool([path]), edits: [{ path, before, after }] };
  }

  /** An agent with auto-commit. */
  agent(
    options: { model?: ModelClient; workspace?: string; messageDeadlineMs?: number; commitDeadlineMs?: number } = {},
  ) {
    const hook = createAutoCommit({ workspace: this.repository.path, environment: this.home.env, ...options });
    const reports: HookReport[] = [];
    return {
      hook,
      reports,
      notices: () => reports.flatMap((report) => (report.type === "notice" ? [report.text] : [])),
      shas: () => reports.flatMap((report) => (report.type === "commit" ? [report.sha] : [])),
      /** A round of tools that say themselves what they did. */
      async uses(act: () => readonly FinishedTool[]) {
        await begin(hook);
        await hook.afterTools(act(), (report) => reports.push(report));
        await hook.settled();
      },
      /** A round of tools: `act` is what they do, `changed` what they say of it. */
      async does(act: () => unknown, changed: ChangedFiles = "unknown") {
        await begin(hook);
        await act();
        const acted = await hook.afterTools([tool(changed)], (report) => reports.push(report));
        await hook.settled();
        return acted;
      },
    };
  }
}

const FILES = { "a.txt": "one\n", "b.txt": "one\n", "dir/c.txt": "one\n", ".gitignore": "*.log\n" };
