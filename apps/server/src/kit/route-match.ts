import { pathsOf } from "./path-aliases.ts";
import type { PathParameters, Route } from "./route.ts";

export type Match = { readonly route: Route; readonly params: PathParameters };

/**
 * Finds among `routes` the one for a method and a path. For the few routes that every turn of an agent takes: they are
 * answered without Hono, whose first request loads the web `Request` and `Response` of Node and costs more than the turn.
 */
export function createMatcher(routes: readonly Route[]): (method: string, pathname: string) => Match | undefined {
  const patterns = routes.flatMap((route) =>
    pathsOf(route.contract.path).map((path) => ({ route, parts: path.split("/") })),
  );
  return (method, pathname) => {
    const parts = pathname.split("/");
    for (const pattern of patterns) {
      if (pattern.route.contract.method !== method || pattern.parts.length !== parts.length) continue;
      const params = matchParts(pattern.parts, parts);
      if (params !== undefined) return { route: pattern.route, params };
    }
    return undefined;
  };
}

function matchParts(pattern: readonly string[], parts: readonly string[]): PathParameters | undefined {
  const params: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const part = parts[index] ?? "";
    if (!expected.startsWith("{")) {
      if (part !== expected) return undefined;
      continue;
    }
    const value = decoded(part);
    if (value === undefined || value === "") return undefined;
    params[expected.slice(1, -1)] = value;
  }
  return params;
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
