import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { makePrivateDirectory } from "@loom/config/private-directory";

/**
 * Writes a file that only this user can read, whole or not at all.
 * @returns false where `ifMissing` and there is one already.
 * @throws Node's own error.
 */
export function writePrivateFile(
  file: string,
  content: string,
  { ifMissing = false }: { readonly ifMissing?: boolean } = {},
): boolean {
  makePrivateDirectory(dirname(file));
  const temporary = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  const descriptor = openSync(temporary, "wx", 0o600);
  try {
    writeSync(descriptor, content);
    fsyncSync(descriptor);
    if (ifMissing) linkSync(temporary, file);
    else renameSync(temporary, file);
    syncDirectory(dirname(file));
    return true;
  } catch (error) {
    if (ifMissing && error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  } finally {
    closeSync(descriptor);
    rmSync(temporary, { force: true });
  }
}

/** So that the name survives a power cut, too. */
function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
