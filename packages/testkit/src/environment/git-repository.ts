import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { devNull, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const execFileAsync = promisify(execFile);

/** Contents by path inside the repository. */
export type RepositoryFiles = Readonly<Record<string, string | Uint8Array>>;

export type GitRepository = {
  readonly path: string;
  /** Runs git there, without anybody's configuration, and gives its output; fails with what git said. */
  git(...args: string[]): Promise<string>;
  /** Writes files, also into directories that do not exist yet. */
  write(files: RepositoryFiles): Promise<void>;
  remove(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

type RepositoryOptions = {
  /** An empty or missing directory to use; by default a temporary one. */
  readonly directory?: string;
  readonly message?: string;
};

/** A real repository on branch `main`, with an author of its own and the files in one commit; no file, no commit. */
export async function createGitRepository(
  files: RepositoryFiles,
  { directory, message = "chore: first commit" }: RepositoryOptions = {},
): Promise<GitRepository> {
  const path = directory ?? (await mkdtemp(join(tmpdir(), "loom-repository-")));
  await mkdir(path, { recursive: true });
  const git = async (...args: string[]) => {
    const { stdout } = await execFileAsync("git", args, { cwd: path, env: gitEnvironment(), maxBuffer: 64 << 20 });
    return stdout;
  };
  const write = async (entries: RepositoryFiles) => {
    for (const [name, content] of Object.entries(entries)) {
      await mkdir(dirname(join(path, name)), { recursive: true });
      await writeFile(join(path, name), content);
    }
  };
  const remove = () => rm(path, { recursive: true, force: true, maxRetries: 5 });

  await git("init", "--quiet", "--initial-branch=main");
  await git("config", "user.name", "Ada Example");
  await git("config", "user.email", "ada@example.com");
  await git("config", "commit.gpgSign", "false");
  if (Object.keys(files).length > 0) {
    await write(files);
    await git("add", "--all");
    await git("commit", "--quiet", "--message", message);
  }
  return { path, git, write, remove, [Symbol.asyncDispose]: remove };
}

// Variables of an outer git (a hook that runs the tests, say) would point these commands at another repository.
function gitEnvironment(): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    LANG: "C.UTF-8",
    GIT_CONFIG_GLOBAL: devNull,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
  };
}
