import { expect, test } from "vitest";
import { codeOf, modelText, RUNNING, temporaryDirectory, Workspace } from "../testing.ts";
import type { ThreadMatch, ThreadSearch } from "../threads/operations.ts";
import { createToolSet } from "../tool-set.ts";
import { builtinTools } from "./builtin-tools.ts";

const MATCH: ThreadMatch = {
  threadId: "T-1",
  title: 'the "parser"',
  turn: 2,
  role: "assistant",
  at: "2026-11-20T10:00:00.000Z",
  text: "We keep the old parser.",
};

function toolsWith(threads: ThreadSearch) {
  const { files, processes } = new Workspace();
  return createToolSet({ tools: builtinTools, files, processes, threads, outputDirectory: temporaryDirectory() });
}

const search = (threads: ThreadSearch, input: { readonly query: string; readonly allWorkspaces?: boolean }) =>
  toolsWith(threads).execute({ type: "tool_use", id: "1", name: "search_threads", input }, { signal: RUNNING });

test("results name thread and turn, so that they can be cited", async () => {
  const asked: unknown[] = [];
  const threads: ThreadSearch = {
    async search({ signal: _, ...options }) {
      asked.push(options);
      return [MATCH, { ...MATCH, turn: 0, role: "title" }];
    },
  };
  const result = await search(threads, { query: "parser" });
  expect(modelText(result)).toBe(
    'T-1 ("the \\"parser\\""), turn 2, assistant, 2026-11-20:\nWe keep the old parser.\n' +
      'T-1 ("the \\"parser\\""), title, 2026-11-20:\nWe keep the old parser.',
  );
  expect(asked).toEqual([{ query: "parser", maxResults: 8, allWorkspaces: false, everyone: false }]);
  expect(modelText(await search({ search: async () => [] }, { query: "x" }))).toBe("(nothing found)");
});

test("where there are no threads to search, the tool is not offered", async () => {
  const { tools } = new Workspace();
  expect(tools.definitions.map(({ name }) => name)).not.toContain("search_threads");
  expect(toolsWith({ search: async () => [] }).definitions.map(({ name }) => name)).toContain("search_threads");
  expect(codeOf(await new Workspace().call("search_threads", { query: "x" }))).toBe("not_allowed");
});
