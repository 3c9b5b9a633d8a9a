/** What clients of the server look at, in the same shell. */
const OF_CLIENTS: ReadonlySet<string> = new Set(["LOOM_SERVER_URL", "LOOM_SERVER_TOKEN", "LOOM_SERVER_TOKEN_FILE"]);

export type WatchedEnvironment = {
  readonly env: NodeJS.ProcessEnv;
  /** A sentence for each variable that is meant for the server and that nobody has looked at. */
  unused(): readonly string[];
};

/** The same variables, which remember who was looked at: a name with a mistake in it would be passed over in silence. */
export function watched(variables: NodeJS.ProcessEnv): WatchedEnvironment {
  const given = Object.keys(variables).filter((name) => name.startsWith("LOOM_SERVER_") && !OF_CLIENTS.has(name));
  const seen = new Set<string | symbol>();
  const env = new Proxy(variables, {
    get(target, name, receiver) {
      seen.add(name);
      return Reflect.get(target, name, receiver);
    },
  });
  return {
    env,
    unused: () =>
      given
        .filter((name) => !seen.has(name))
        .map(
          (name) =>
            `${name} is set and not used: its name has a mistake, it needs another variable beside it, or something else comes before it.`,
        ),
  };
}
