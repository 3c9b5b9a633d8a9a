import * as z from "zod";
import { defineTool } from "../define-tool.ts";
import { displayPath } from "../files/display-path.ts";
import type { SearchMatch, SearchResult } from "../files/operations.ts";

const DEFAULT_RESULTS = 100;
const MAX_RESULTS = 1_000;

export const search = defineTool({
  name: "search",
  description:
    "Search file contents with a regular expression (ripgrep syntax), line by line. Ignores the same files as list_files.",
  input: z.strictObject({
    pattern: z.string().min(1).max(10_000),
    path: z.string().min(1).default(".").describe("File or directory"),
    glob: z.string().min(1).max(1_000).optional().describe("e.g. *.ts"),
    caseSensitive: z.boolean().default(true),
    maxResults: z.int().min(1).max(MAX_RESULTS).default(DEFAULT_RESULTS),
  }),
  effects: "none",
  describe: ({ pattern, path }) => `Search ${displayPath(path)} for ${displayPath(pattern)}`,
  async run({ pattern, path, glob, caseSensitive, maxResults }, { files, signal }) {
    const result = await files.search({ pattern, path, glob, caseSensitive, maxResults, signal });
    return {
      model: [...matchLines(result.matches), ...notes(result)].join("\n"),
      display: { kind: "search", pattern, matches: result.matches.length, truncated: result.truncated },
    };
  },
});

/** Each file once, its lines below it. */
function matchLines(matches: readonly SearchMatch[]): string[] {
  const lines: string[] = [];
  let current: string | undefined;
  for (const { path, line, text } of matches) {
    if (path !== current) lines.push(displayPath(path));
    current = path;
    lines.push(`${line}\t${text}`);
  }
  return lines.length === 0 ? ["(no match)"] : lines;
}

function notes({ matches, truncated, engine }: SearchResult): string[] {
  const notes: string[] = [];
  if (truncated) notes.push(`[There is more: ${matches.length} matching lines are shown. Narrow the search.]`);
  if (engine === "javascript")
    notes.push("[ripgrep is missing: searched with JavaScript's regular expressions, files up to 10 MB.]");
  return notes;
}
