import type { Stats } from "node:fs";
import { ToolFailure } from "../failure.ts";

/**
 * One entry of the workspace, held in place: whatever happens to the path that led here, the accesses below reach this
 * entry, or fail. Dispose of it to let go.
 */
export interface Place extends Disposable {
  /** Relative to the workspace, symlinks resolved; `.` is the workspace itself. */
  readonly path: string;
  /** Last part of `path`. */
  readonly name: string;
  /** Of the entry itself; undefined if it does not exist (its directory does). Never a symlink unless asked for. */
  readonly stats: Stats | undefined;
  /** A path for the file system under which a name beside this entry is reached. */
  sibling(name: string): string;
  /** Opens the entry, a regular file, for reading. Gives a file descriptor that the caller closes. */
  open(): number;
  /** A path for the file system, valid in this process and while held, of the entry, a directory. */
  directory(): string;
}

export type LocateOptions = {
  /** Make directories that are missing on the way. */
  readonly createParents?: boolean;
  /** `refuse`: fail at a symlink; for paths that were found by walking and hold none. */
  readonly symlinks?: "follow" | "refuse";
};

/** Reaches the entries of one directory tree and nothing outside it, whatever the symlinks in it say. */
export interface Confinement {
  /** Absolute path, symlinks resolved. */
  readonly root: string;
  /** Throws `ToolFailure` for what lies outside, and system errors for the rest. */
  locate(path: string, options?: LocateOptions): Place;
  close(): void;
}

/** As many symlinks on one path as Linux follows. */
export const MAX_SYMLINKS = 40;

export function outside(path: string): ToolFailure {
  return new ToolFailure(
    "path_outside_workspace",
    `${JSON.stringify(path)} lies outside the workspace. Use a path relative to the workspace.`,
  );
}

export function refuseNul(path: string): void {
  if (path.includes("\0")) throw new ToolFailure("invalid_arguments", "A path cannot hold a NUL character.");
}

/** An error as the file system would give it. */
export function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
