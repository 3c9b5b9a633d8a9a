import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { Secret } from "@loom/config";
import { makePrivateDirectory } from "@loom/config/private-directory";
import { looksLikeToken } from "../../kit/auth.ts";

/** The owner's token cannot be written. `message` is a whole sentence. */
export class TokenFileError extends Error {
  override readonly name = "TokenFileError";
}

/**
 * Writes a token to a file that only this user can read, whole or not at all. A file that holds anything but an earlier
 * token is left alone.
 * @throws TokenFileError
 */
export function writeTokenFile(file: string, token: Secret): void {
  try {
    refuseForeignFile(file);
    makePrivateDirectory(dirname(file));
    replaceFile(file, `${token.expose()}\n`);
  } catch (error) {
    if (error instanceof TokenFileError) throw error;
    throw new TokenFileError(`The owner's token cannot be written to ${file} (${reason(error)}).`, { cause: error });
  }
}

function replaceFile(file: string, content: string): void {
  const temporary = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  const descriptor = openSync(temporary, "wx", 0o600);
  try {
    writeSync(descriptor, content);
    fsyncSync(descriptor);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

function refuseForeignFile(file: string): void {
  let content: string;
  try {
    content = readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return;
    throw error;
  }
  if (content.trim() === "" || looksLikeToken(content.trim())) return;
  throw new TokenFileError(`${file} exists and holds no token of Loom: choose another file for the owner's token.`);
}

function reason(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "ENOSPC":
      return "the disk is full: make room";
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return "its directory may not be written: make it writable, or choose another file with --owner-token-file";
    default:
      return String(code ?? error);
  }
}
