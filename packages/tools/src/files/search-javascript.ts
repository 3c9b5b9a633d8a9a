import { closeSync, readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";
import { systemErrorCode, ToolFailure, throwIfStopped } from "../failure.ts";
import type { Confinement, Place } from "./confinement.ts";
import { matchText } from "./match-text.ts";
import type { SearchMatch, SearchQuery, SearchResult } from "./operations.ts";
import { walk } from "./walk.ts";

const MAX_SEARCHED_BYTES = 10_485_760;
/** A pattern may need exponential time; this is all it gets for one file. */
const FILE_DEADLINE_MS = 1_000;

/** The search without ripgrep: one file after the other, with JavaScript's regular expressions. */
export async function searchJavascript(
  place: Place,
  query: SearchQuery,
  confinement: Confinement,
): Promise<SearchResult> {
  const pattern = compile(query);
  const matches: SearchMatch[] = [];
  const paths = place.stats?.isDirectory() ? await filesBelow(place.path, query, confinement) : [place.path];
  for (const path of paths) {
    throwIfStopped(query.signal);
    matches.push(...searchFile(path, pattern, query.maxResults + 1 - matches.length, confinement));
    if (matches.length > query.maxResults) {
      return { matches: matches.slice(0, query.maxResults), truncated: true, engine: "javascript" };
    }
  }
  return { matches, truncated: false, engine: "javascript" };
}

function compile({ pattern, caseSensitive }: SearchQuery): RegExp {
  try {
    return new RegExp(pattern, caseSensitive ? "u" : "iu");
  } catch (error) {
    const reason = error instanceof Error ? error.message : "invalid";
    throw new ToolFailure("invalid_arguments", `The search was refused: ${reason}.`, { cause: error });
  }
}

async function filesBelow(start: string, query: SearchQuery, confinement: Confinement): Promise<string[]> {
  const { default: ignore } = await import("ignore");
  const glob = query.glob === undefined ? undefined : ignore({ ignorecase: false }).add(query.glob);
  const paths: string[] = [];
  for await (const { path, kind, ignored } of walk(start, confinement, query.signal)) {
    if (kind === "file" && (glob === undefined ? !ignored : glob.ignores(path))) paths.push(path);
  }
  return paths.sort();
}

function searchFile(path: string, pattern: RegExp, limit: number, confinement: Confinement): SearchMatch[] {
  const content = readText(path, confinement);
  if (content === undefined) return [];
  const matches: SearchMatch[] = [];
  const search = () => {
    for (const [index, line] of content.split("\n").entries()) {
      const found = pattern.exec(line.replace(/\r$/, ""));
      if (found === null) continue;
      matches.push({
        path,
        line: index + 1,
        text: matchText(Buffer.from(line), Buffer.byteLength(line.slice(0, found.index))),
      });
      if (matches.length === limit) return;
    }
  };
  try {
    // Nothing but a context with a time limit can interrupt a regular expression.
    runInNewContext("search()", { search }, { timeout: FILE_DEADLINE_MS });
  } catch (error) {
    if (systemErrorCode(error) !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
    throw new ToolFailure("timeout", `The pattern takes too long on ${JSON.stringify(path)}. Use a simpler one.`, {
      cause: error,
    });
  }
  return matches;
}

function readText(path: string, confinement: Confinement): string | undefined {
  try {
    using place = confinement.locate(path, { symlinks: "refuse" });
    if (!place.stats?.isFile() || place.stats.size > MAX_SEARCHED_BYTES) return undefined;
    const fd = place.open();
    try {
      const text = new TextDecoder().decode(readFileSync(fd));
      return text.includes("\0") ? undefined : text;
    } finally {
      closeSync(fd);
    }
  } catch {
    // Gone or unreadable; ripgrep is silent about those as well.
    return undefined;
  }
}
