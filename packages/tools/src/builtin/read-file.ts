import * as z from "zod";
import { defineTool } from "../define-tool.ts";
import { ToolFailure } from "../failure.ts";
import { displayPath } from "../files/display-path.ts";
import type { FileSlice } from "../files/operations.ts";
import { MAX_READ_BYTES } from "../files/operations.ts";
import { wholeCharacters } from "./terminal-text.ts";
import { byteOrderMarkLength, isBinary, numberLines } from "./text-content.ts";

const LINE_FEED = 10;

export const readFile = defineTool({
  name: "read_file",
  description:
    "Read a text file. Each line is shown as its number, a tab and the text; number and tab are not part of the file. " +
    "Line breaks are shown as LF.",
  input: z.strictObject({
    path: z.string().min(1).describe("Relative to the workspace"),
    startLine: z.int().min(1).max(1_000_000_000).default(1),
    maxBytes: z.int().min(1).max(MAX_READ_BYTES).default(MAX_READ_BYTES),
  }),
  effects: "none",
  describe: ({ path }) => `Read ${displayPath(path)}`,
  run: ({ path, startLine, maxBytes }, { files, memory, signal }) =>
    memory.exclusively(async () => {
      const file = await files.read(path, { startLine, maxBytes, signal });
      if (isBinary(file.bytes)) {
        throw new ToolFailure(
          "invalid_arguments",
          `${displayPath(path)} is a binary file of ${file.size} bytes, not text. Use bash to look into it.`,
        );
      }
      memory.remember(file.path, file.version);
      const { lines, note } = shown(file, startLine);
      return {
        model: [numberLines(lines, startLine), note].filter((part) => part !== "").join("\n"),
        display: { kind: "file", path: file.path, lines: lines.length, truncated: file.truncated },
      };
    }),
});

/** Whole lines, unless the very first is already too long. */
function shown(file: FileSlice, startLine: number): { lines: string[]; note: string } {
  if (file.size === 0) return { lines: [], note: "(the file is empty)" };
  if (file.bytes.length === 0) {
    return { lines: [], note: `(the file has ${file.lineCount} lines; there is no line ${startLine})` };
  }
  const mark = startLine === 1 ? byteOrderMarkLength(file.bytes) : 0;
  const lastBreak = file.bytes.lastIndexOf(LINE_FEED);
  const cutLine = file.truncated && lastBreak === -1;
  const end = file.truncated && !cutLine ? lastBreak + 1 : file.bytes.length;
  const lines = splitLines(wholeCharacters(file.bytes.subarray(mark, end)));
  if (!file.truncated) return { lines, note: "" };
  const size = `The file has ${file.size} bytes.`;
  if (cutLine)
    return { lines, note: `[Truncated inside line ${startLine}. ${size} Use bash for the rest of the line.]` };
  return { lines, note: `[Truncated. ${size} Go on with startLine ${startLine + lines.length}.]` };
}

function splitLines(bytes: Uint8Array): string[] {
  const lines = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes).split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
}
