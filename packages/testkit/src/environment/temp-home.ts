import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";

/** A private home for child processes, so that nothing of the developer's own leaks in or out. */
export type TempHome = {
  readonly path: string;
  readonly configDir: string;
  readonly dataDir: string;
  readonly stateDir: string;
  readonly cacheDir: string;
  readonly runtimeDir: string;
  /** The whole environment for a child: pass it as it is, do not merge it with `process.env`. */
  readonly env: Readonly<Record<string, string>>;
  remove(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

const GIT_CONFIG = "[init]\n\tdefaultBranch = main\n[user]\n\tuseConfigOnly = true\n";

/** Makes the home with its XDG directories. `PATH` begins with the Node that runs this. */
export async function createTempHome(): Promise<TempHome> {
  const path = await mkdtemp(join(tmpdir(), "loom-home-"));
  const dirs = {
    configDir: join(path, ".config"),
    dataDir: join(path, ".local", "share"),
    stateDir: join(path, ".local", "state"),
    cacheDir: join(path, ".cache"),
    runtimeDir: join(path, ".run"),
  };
  const temp = join(path, "tmp");
  // The base directory specification wants the runtime directory for the owner alone.
  for (const dir of [...Object.values(dirs), temp]) await mkdir(dir, { recursive: true, mode: 0o700 });
  const gitConfig = join(path, ".gitconfig");
  await writeFile(gitConfig, GIT_CONFIG);
  const remove = () => rm(path, { recursive: true, force: true, maxRetries: 5 });
  return {
    path,
    ...dirs,
    env: {
      PATH: [dirname(process.execPath), process.env.PATH ?? ""].join(delimiter),
      HOME: path,
      TMPDIR: temp,
      LANG: "C.UTF-8",
      TZ: "UTC",
      XDG_CONFIG_HOME: dirs.configDir,
      XDG_DATA_HOME: dirs.dataDir,
      XDG_STATE_HOME: dirs.stateDir,
      XDG_CACHE_HOME: dirs.cacheDir,
      XDG_RUNTIME_DIR: dirs.runtimeDir,
      GIT_CONFIG_GLOBAL: gitConfig,
      GIT_CONFIG_NOSYSTEM: "1",
    },
    remove,
    [Symbol.asyncDispose]: remove,
  };
}
