import * as z from "zod";
import { defineTool } from "../define-tool.ts";
import { ToolFailure } from "../failure.ts";
import type { FileMemory } from "../file-memory.ts";
import { displayPath } from "../files/display-path.ts";
import { requireOutsideGit } from "../files/git-directory.ts";
import type { FileOperations, FileSlice } from "../files/operations.ts";
import { MAX_EDIT_BYTES } from "../files/operations.ts";
import type { ToolResult } from "../tool.ts";
import type { Edit } from "./edit/apply-edits.ts";
import { applyEdits } from "./edit/apply-edits.ts";
import { toBytes, toEditable, toReadable } from "./edit/editable-text.ts";
import { explainProblem } from "./edit/explain-problem.ts";
import { unifiedDiff } from "./edit/unified-diff.ts";
import { isBinary } from "./text-content.ts";

const MAX_EDITS = 100;

export const editFile = defineTool({
  name: "edit_file",
  description:
    "Replace text in a file, or create a file. The edits are made in order, all or none. Each oldText must match exactly " +
    "one place, white space included (or all places with replaceAll). An empty oldText creates the file. Read a file " +
    "before you edit it, and again if it has changed since. Its kind of line breaks and its final line break are kept.",
  input: z.strictObject({
    path: z.string().min(1),
    edits: z
      .array(z.strictObject({ oldText: z.string(), newText: z.string(), replaceAll: z.boolean().default(false) }))
      .min(1)
      .max(MAX_EDITS),
  }),
  effects: "workspace",
  describe: ({ path, edits }) => `${edits[0]?.oldText === "" ? "Create" : "Edit"} ${displayPath(path)}`,
  run: ({ path, edits }, { files, memory, signal }) =>
    memory.exclusively(async () => {
      requireOutsideGit(path);
      const existing = await readExisting(path, files, signal);
      requireOutsideGit(existing?.path ?? path);
      if (existing === undefined) requireCreation(path, edits);
      else requireCurrent(path, existing, memory, edits);
      const before = toEditable(existing?.bytes ?? new Uint8Array());
      const result = applyEdits(before, edits);
      if (result.type === "refused") {
        const code = ["not_found", "ambiguous"].includes(result.problem.type)
          ? "target_not_found"
          : "invalid_arguments";
        throw new ToolFailure(code, explainProblem(path, result.problem));
      }
      const expected = existing?.version ?? null;
      const after = toBytes(result.file);
      const written = await files.write(path, after, { expected, signal });
      memory.remember(written.path, written.version);
      const difference = unifiedDiff(toReadable(before.text), toReadable(result.file.text));
      return {
        model: summary(written.path, existing === undefined, result),
        display: { kind: "diff", path: written.path, created: existing === undefined, ...difference },
        changed: [written.path],
        edits: [{ path: written.path, before: existing?.bytes, after }],
      } satisfies ToolResult;
    }),
});

async function readExisting(path: string, files: FileOperations, signal: AbortSignal): Promise<FileSlice | undefined> {
  try {
    return await files.read(path, { startLine: 1, maxBytes: MAX_EDIT_BYTES, signal });
  } catch (error) {
    if (error instanceof ToolFailure && error.code === "file_not_found") return undefined;
    throw error;
  }
}

function requireCreation(path: string, edits: readonly Edit[]): void {
  if (edits[0]?.oldText === "") return;
  throw new ToolFailure(
    "file_not_found",
    `${displayPath(path)} does not exist. Use list_files to find the right path, or an empty oldText to create it.`,
  );
}

/** An edit is made on what the model knows, not on what it guesses. An empty file holds nothing to know. */
function requireCurrent(path: string, file: FileSlice, memory: FileMemory, edits: readonly Edit[]): void {
  const name = displayPath(path);
  if (file.version === undefined || file.truncated) {
    throw new ToolFailure(
      "invalid_arguments",
      `${name} is larger than ${MAX_EDIT_BYTES} bytes. Use bash to change it.`,
    );
  }
  if (file.size === 0) return;
  if (isBinary(file.bytes)) {
    throw new ToolFailure("invalid_arguments", `${name} is a binary file, not text. Use bash to change it.`);
  }
  if (edits[0]?.oldText === "") {
    throw new ToolFailure("invalid_arguments", explainProblem(path, { index: 0, type: "not_empty" }));
  }
  const seen = memory.versionOf(file.path);
  if (seen === undefined) {
    throw new ToolFailure("stale_file", `${name} exists and was not read yet. Read it, then edit what it holds now.`);
  }
  if (seen !== file.version) {
    throw new ToolFailure("stale_file", `${name} has changed since you last read it. Read it again, then edit.`);
  }
}

function summary(
  path: string,
  created: boolean,
  result: { replacements: number; finalLineBreakKept: boolean },
): string {
  if (created) return `Created ${displayPath(path)}.`;
  const count = result.replacements === 1 ? "1 replacement" : `${result.replacements} replacements`;
  const kept = result.finalLineBreakKept ? " The end of the file keeps its final line break, or the lack of one." : "";
  return `Edited ${displayPath(path)}: ${count}.${kept}`;
}
