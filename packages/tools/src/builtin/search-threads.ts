import * as z from "zod";
import { defineTool } from "../define-tool.ts";
import { ToolFailure } from "../failure.ts";
import { displayPath } from "../files/display-path.ts";
import type { ThreadMatch } from "../threads/operations.ts";

const DEFAULT_RESULTS = 8;
const MAX_RESULTS = 30;

export const searchThreads = defineTool({
  name: "search_threads",
  description:
    'Search earlier conversations with this person: what was said, decided, done. Words, "phrases", -not, commit hashes. Cite thread and turn.',
  input: z.strictObject({
    query: z.string().min(1).max(500),
    allWorkspaces: z.boolean().default(false),
    everyone: z.boolean().default(false),
    maxResults: z.int().min(1).max(MAX_RESULTS).default(DEFAULT_RESULTS),
  }),
  effects: "none",
  describe: ({ query }) => `Search threads for ${displayPath(query)}`,
  async run({ query, allWorkspaces, everyone, maxResults }, { threads, signal }) {
    if (threads === undefined)
      throw new ToolFailure("not_allowed", "There are no earlier conversations to search here.");
    const matches = await threads.search({ query, maxResults, allWorkspaces, everyone, signal });
    return {
      model: matches.length === 0 ? "(nothing found)" : matches.map(lines).join("\n"),
      display: { kind: "search", pattern: query, matches: matches.length, truncated: matches.length === maxResults },
    };
  },
});

function lines({ threadId, title, turn, role, at, text }: ThreadMatch): string {
  const place = turn === 0 ? role : `turn ${turn}, ${role}`;
  return `${threadId} (${JSON.stringify(title)}), ${place}, ${at.slice(0, 10)}:\n${text}`;
}
