import type { ToolErrorCode } from "@loom/core";
import type { ChangedFiles, ToolDisplay } from "./tool.ts";

type ToolFailureOptions = ErrorOptions & { display?: ToolDisplay; changed?: ChangedFiles };

/**
 * A tool could not do what the model asked. The message is for the model: what happened, to what, what to do next.
 * Thrown inside tools and operations only; `createToolSet` turns it into an outcome.
 */
export class ToolFailure extends Error {
  override readonly name = "ToolFailure";
  readonly code: ToolErrorCode;
  /** What the person sees instead of the message. */
  readonly display: ToolDisplay | undefined;
  /** What differs in the workspace although the tool failed, e.g. after a command that was stopped half-way. */
  readonly changed: ChangedFiles | undefined;

  constructor(code: ToolErrorCode, message: string, options: ToolFailureOptions = {}) {
    super(message, options);
    this.code = code;
    this.display = options.display;
    this.changed = options.changed;
  }
}

/** The `code` of a Node system error (`ENOENT`), or undefined for anything else. */
export function systemErrorCode(error: unknown): string | undefined {
  // Not `instanceof Error`: the errors of another context of the VM are none.
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission is denied",
  EPERM: "the system does not permit it",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file would be too large",
  EMFILE: "too many files are open",
  ENFILE: "too many files are open",
  ENAMETOOLONG: "the name is too long",
  EISDIR: "it is a directory",
  ENOTDIR: "a part of the path is not a directory",
  EBUSY: "it is busy",
  EIO: "the disk reports an error",
};

/** A system error as a failure with a sentence; a failure passes unchanged. `doing` reads "write src/a.ts". */
export function asToolFailure(error: unknown, doing: string): ToolFailure {
  if (error instanceof ToolFailure) return error;
  const code = systemErrorCode(error);
  if (code === "ENOENT") {
    return new ToolFailure("file_not_found", `Could not ${doing}: it does not exist.`, { cause: error });
  }
  const reason = code === undefined ? "an unexpected error happened" : (REASONS[code] ?? `the system says ${code}`);
  return new ToolFailure(code === undefined ? "internal" : "io", `Could not ${doing}: ${reason}.`, { cause: error });
}

/** Throws what an aborted signal means to a tool. */
export function throwIfStopped(signal: AbortSignal): void {
  if (signal.aborted) throw new ToolFailure("interrupted", "The call was stopped before it was done.");
}
