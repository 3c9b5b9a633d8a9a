import { readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { type GitFacts, normaliseRemote } from "@loom/threads";
import { gitDirectoryOf } from "./prompt/repository.ts";

/** How a thread learns where its repository stands. */
export type GitProbe = {
  /** Branch, remote and commit, of a few small files; nothing outside of a repository. Never throws. */
  facts(): GitFacts;
  /** Whether tracked files differ from the commit; `undefined` where git does not say in time. Never rejects. */
  isDirty(options?: { readonly deadlineMs: number }): Promise<boolean | undefined>;
};

const DEADLINE_MS = 2_000;
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** Looks at the repository of a workspace (absolute path). The environment is that of the git that is run. */
export function createGitProbe(options: {
  readonly workspace: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}): GitProbe {
  const { workspace } = options;
  return {
    facts: () => readGitFacts(workspace),
    async isDirty({ deadlineMs } = { deadlineMs: DEADLINE_MS }) {
      if (gitDirectoryOf(workspace) === undefined) return undefined;
      const [{ runGit }, { gitEnvironment }] = await Promise.all([
        import("./auto-commit/git-process.ts"),
        import("./auto-commit/git-environment.ts"),
      ]);
      const where = { directory: workspace, environment: gitEnvironment(options.environment) };
      // A repository's own configuration must not have a program run just because somebody asks.
      const args = ["-c", "core.fsmonitor=false", "status", "--porcelain", "--untracked-files=no"];
      const { ok, stdout } = await runGit(where, args, { deadlineMs, maxOutputBytes: 1, mayCut: true });
      return ok ? stdout.length > 0 : undefined;
    },
  };
}

function readGitFacts(workspace: string): GitFacts {
  const directory = gitDirectoryOf(workspace);
  if (directory === undefined) return {};
  const common = commonDirectory(directory);
  const head = read(join(directory, "HEAD")).trim();
  const [, ref] = /^ref: (refs\/\S+)$/.exec(head) ?? [];
  const branch = ref?.startsWith("refs/heads/") ? ref.slice("refs/heads/".length) : undefined;
  const commit = ref === undefined ? head : commitOf(ref, [directory, common]);
  const remote = originIn(read(join(common, "config")));
  return {
    ...(branch === undefined ? {} : { branch }),
    ...(remote === undefined ? {} : { remote }),
    ...(isObjectName(commit) ? { commit } : {}),
  };
}

/** Of a linked worktree: the repository it belongs to (gitrepository-layout(5)). */
function commonDirectory(directory: string): string {
  const path = read(join(directory, "commondir")).trim();
  return path === "" ? directory : resolve(directory, path);
}

function commitOf(ref: string, directories: readonly string[]): string {
  for (const directory of directories) {
    const loose = read(join(directory, ref)).trim();
    if (loose !== "") return loose;
  }
  const packed = read(join(directories.at(-1) ?? "", "packed-refs"));
  return (
    packed
      .split("\n")
      .find((line) => line.endsWith(` ${ref}`))
      ?.split(" ", 1)[0] ?? ""
  );
}

/** The address of `origin`, else of the first remote, as the configuration states it (git-config(1)). */
function originIn(config: string): string | undefined {
  const urls = new Map<string, string>();
  let remote: string | undefined;
  for (const line of config.split("\n")) {
    const [, section, name] = /^\s*\[\s*(\w+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]/.exec(line) ?? [];
    if (section !== undefined) remote = section.toLowerCase() === "remote" ? name : undefined;
    const [, url] = /^\s*url\s*=\s*"?([^"]*?)"?\s*$/i.exec(line) ?? [];
    if (remote !== undefined && url !== undefined && !urls.has(remote)) urls.set(remote, url);
  }
  const [first] = urls.values();
  const address = urls.get("origin") ?? first;
  return address === undefined ? undefined : normaliseRemote(address);
}

function isObjectName(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

function read(path: string): string {
  try {
    const stat = statSync(path);
    return stat.isFile() && stat.size <= MAX_FILE_BYTES ? readFileSync(path, "utf8") : "";
  } catch {
    return "";
  }
}
