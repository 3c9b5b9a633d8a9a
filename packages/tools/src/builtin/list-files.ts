import * as z from "zod";
import { defineTool } from "../define-tool.ts";
import { displayPath } from "../files/display-path.ts";
import type { ListedEntry } from "../files/operations.ts";

const MAX_ENTRIES = 1_000;

/** As `ls -F` marks them. */
const SUFFIXES: Readonly<Record<ListedEntry["kind"], string>> = { file: "", directory: "/", symlink: "@", other: "=" };

export const listFiles = defineTool({
  name: "list_files",
  description:
    "List files and directories below a path, recursively. Leaves out what .gitignore and .ignore name, .git and node_modules.",
  input: z.strictObject({
    path: z.string().min(1).default("."),
    maxResults: z.int().min(1).max(MAX_ENTRIES).default(MAX_ENTRIES),
  }),
  effects: "none",
  describe: ({ path }) => `List ${displayPath(path)}`,
  async run({ path, maxResults }, { files, signal }) {
    const { path: resolved, entries, truncated } = await files.list(path, { maxResults, signal });
    const lines = entries.map((entry) => `${displayPath(entry.path)}${SUFFIXES[entry.kind]}`);
    if (lines.length === 0) lines.push("(nothing here)");
    if (truncated) {
      lines.push(
        `[There is more: only ${entries.length} entries are listed, the shallow ones first. List a subdirectory.]`,
      );
    }
    return {
      model: lines.join("\n"),
      display: { kind: "list", path: resolved, entries: entries.length, truncated },
    };
  },
});
