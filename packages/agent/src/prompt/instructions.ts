import { closeSync, fstatSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { findRepository } from "./repository.ts";

/** One file of instructions for the agent. */
export type InstructionFile = {
  /** As it is shown: relative to the repository, or absolute for the person's own file. */
  readonly name: string;
  readonly text: string;
  /** Size on disk; more than `text` where it was cut. */
  readonly bytes: number;
  readonly cut: boolean;
};

export type Instructions = {
  /** The most general first. */
  readonly files: readonly InstructionFile[];
  /** Files that were left out, one sentence each. */
  readonly notices: readonly string[];
};

const FILE_NAME = "AGENTS.md";
/** Of all files together. */
export const MAX_INSTRUCTION_BYTES = 32 * 1024;
const MAX_LEVELS = 32;

/**
 * The `AGENTS.md` files that hold for `workspace` (absolute): the person's own in `configDirectory`, then one per
 * directory from the root of the repository down. Where they are longer than 32 KiB together, the general ones are cut
 * first. A file that a symbolic link takes out of the repository is left out: its content would go to the model.
 */
export function readInstructions(options: {
  readonly workspace: string;
  readonly configDirectory: string | undefined;
}): Instructions {
  const { workspace, configDirectory } = options;
  const root = findRepository(workspace)?.root ?? workspace;
  const notices: string[] = [];
  const candidates: { readonly path: string; readonly name: string }[] = [];
  if (configDirectory !== undefined) {
    const path = join(configDirectory, FILE_NAME);
    if (isThere(path)) candidates.push({ path, name: path });
  }
  for (const directory of directoriesBetween(root, workspace)) {
    const path = join(directory, FILE_NAME);
    if (!isThere(path)) continue;
    const name = relative(root, path);
    if (isWithin(root, path)) candidates.push({ path, name });
    else notices.push(`${name} is left out: it is a link to a place outside of the repository.`);
  }
  const files: InstructionFile[] = [];
  let left = MAX_INSTRUCTION_BYTES;
  // The nearest is the most specific: it gets its share first.
  for (const { path, name } of candidates.toReversed()) {
    const file = readInstructionFile(path, name, left);
    if (typeof file === "string") {
      notices.push(file);
      continue;
    }
    left -= Buffer.byteLength(file.text);
    if (file.cut)
      notices.push(`${name} is cut: only ${Buffer.byteLength(file.text)} of its ${file.bytes} bytes are used.`);
    if (file.text !== "") files.unshift(file);
  }
  return { files, notices };
}

/** The files as a section of the system prompt; "" where there are none. */
export function renderInstructions(files: readonly InstructionFile[]): string {
  if (files.length === 0) return "";
  const parts = files.map(({ name, text, bytes, cut }) => {
    const note = cut ? `\n[cut here: ${Buffer.byteLength(text)} of ${bytes} bytes; the rest is in ${name}]` : "";
    return `<instructions file="${name}">\n${text}${note}\n</instructions>`;
  });
  const intro = "Instructions for this project, the most general first; where they differ, the later one holds:";
  return `${intro}\n\n${parts.join("\n\n")}`;
}

function directoriesBetween(root: string, workspace: string): string[] {
  const directories: string[] = [];
  for (let current = workspace; directories.length < MAX_LEVELS; current = dirname(current)) {
    directories.unshift(current);
    if (current === root || dirname(current) === current) break;
  }
  return directories;
}

/** A regular file; anything else of that name (a directory, a pipe that would never end) is not ours. */
function isThere(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function isWithin(root: string, path: string): boolean {
  try {
    return realpathSync(path).startsWith(withSeparator(realpathSync(root)));
  } catch {
    return false;
  }
}

function withSeparator(path: string): string {
  return path.endsWith(sep) ? path : path + sep;
}

function readInstructionFile(path: string, name: string, maxBytes: number): InstructionFile | string {
  try {
    const { head, bytes } = readHead(path, maxBytes);
    if (head.includes(0)) return `${name} is left out: it is not a text file.`;
    const cut = bytes > head.length;
    // `stream` holds back a character that the limit has cut in two. A byte order mark is dropped.
    const text = new TextDecoder().decode(head, { stream: cut }).trim();
    return { name, text, bytes, cut };
  } catch (error) {
    return `${name} is left out: ${error instanceof Error ? error.message : String(error)}.`;
  }
}

function readHead(path: string, maxBytes: number): { head: Buffer; bytes: number } {
  const descriptor = openSync(path, "r");
  try {
    const bytes = fstatSync(descriptor).size;
    const head = Buffer.alloc(Math.min(bytes, maxBytes));
    return { head: head.subarray(0, readSync(descriptor, head, 0, head.length, 0)), bytes };
  } finally {
    closeSync(descriptor);
  }
}
