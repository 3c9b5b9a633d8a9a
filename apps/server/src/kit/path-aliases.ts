/** Other names of parts of the API, for clients that know them by these. */
const ALIASES: Readonly<Record<string, string>> = { "/api/threads": "/v1/threads" };

/** A path of a contract, and where it is found besides. */
export function pathsOf(path: string): string[] {
  const others = Object.entries(ALIASES).filter(([prefix]) => path === prefix || path.startsWith(`${prefix}/`));
  return [path, ...others.map(([prefix, alias]) => alias + path.slice(prefix.length))];
}
