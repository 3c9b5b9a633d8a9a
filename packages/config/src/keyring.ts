/** Where the system keeps a person's secrets. Nothing of a secret is in an argument of a process. */
export type Keyring = {
  /** @throws KeyringError */
  store(serverUrl: string, token: string): void;
  /** `undefined` where it holds none. @throws KeyringError */
  lookup(serverUrl: string): string | undefined;
  /** @throws KeyringError */
  remove(serverUrl: string): void;
};

/** The keyring is there and cannot be used: locked, or nobody answers. A whole sentence. */
export class KeyringError extends Error {
  override readonly name = "KeyringError";
}

/** A person may have to type a password meanwhile. */
const PATIENCE_MS = 60_000;

/**
 * The keyring of a Linux desktop (the Secret Service of freedesktop.org), through `secret-tool` of libsecret. Nothing on
 * other systems, without that program, or without a session bus.
 */
export function findKeyring(env: NodeJS.ProcessEnv): Keyring | undefined {
  if (process.platform !== "linux" || !env.DBUS_SESSION_BUS_ADDRESS || env.LOOM_KEYRING === "off") return undefined;
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  const run = (verb: string, serverUrl: string, input: string, ...more: readonly string[]) =>
    spawnSync("secret-tool", [verb, ...more, "service", "loom", "server", serverUrl], {
      env,
      input,
      encoding: "utf8",
      timeout: PATIENCE_MS,
    });
  const isThere =
    spawnSync("secret-tool", ["--version"], { env, timeout: PATIENCE_MS, stdio: "ignore" }).error === undefined;
  if (!isThere) return undefined;

  function check({ status, error }: ReturnType<typeof run>): void {
    if (status === 0) return;
    const why =
      error !== undefined && "code" in error && error.code === "ETIMEDOUT" ? "did not answer in time" : "refused";
    throw new KeyringError(`The keyring of this desktop ${why}: unlock it, or set LOOM_KEYRING=off and sign in again.`);
  }

  return {
    store: (serverUrl, token) => check(run("store", serverUrl, token, `--label=Loom at ${serverUrl}`)),
    lookup(serverUrl) {
      const found = run("lookup", serverUrl, "");
      // It fails without a word where there is none.
      if (found.status === 1 && found.stdout === "" && found.stderr.trim() === "") return undefined;
      check(found);
      return found.stdout;
    },
    remove: (serverUrl) => void run("clear", serverUrl, ""),
  };
}
