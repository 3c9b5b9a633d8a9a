import { createHash } from "node:crypto";
import { closeSync, openSync, readSync, renameSync, statSync, unlinkSync, utimesSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { makePrivateDirectory } from "@loom/config/private-directory";

/** Where a long text is kept, and how it begins. */
export type OutputReference = {
  /** Of the text in UTF-8; the name of its file. */
  readonly sha256: string;
  readonly bytes: number;
};

/**
 * Long outputs of tools, each in a file that is named after its content (`ab/abcdef…`): what two calls or two threads
 * say alike is kept once. A file never changes; it is removed when no thread refers to it (`collectGarbage`).
 */
export class OutputStore {
  readonly directory: string;
  readonly #now: () => number;

  /** `now`: milliseconds since 1970, by the clock of the files. */
  constructor(directory: string, now: () => number = Date.now) {
    this.directory = directory;
    this.#now = now;
  }

  fileOf(sha256: string): string {
    return join(this.directory, sha256.slice(0, 2), sha256);
  }

  has(sha256: string): boolean {
    return statSync(this.fileOf(sha256), { throwIfNoEntry: false }) !== undefined;
  }

  /** Whether it is there; for whoever is about to refer to it: a clean-up takes it for new, as if it had just been put here. */
  renew(sha256: string): boolean {
    const now = this.#now() / 1_000;
    try {
      utimesSync(this.fileOf(sha256), now, now);
      return true;
    } catch {
      // Gone; or it belongs to somebody else, and is written anew.
      return false;
    }
  }

  /**
   * Keeps a text. It outlives the process at once; for a power cut, `file` has to be synced (`undefined`: it was
   * there). @throws Node's own error where it cannot be written; then nothing is left behind.
   */
  put(text: string): OutputReference & { readonly file: string | undefined } {
    const content = Buffer.from(text);
    const sha256 = createHash("sha256").update(content).digest("hex");
    const file = this.fileOf(sha256);
    const reference = { sha256, bytes: content.length };
    // In this order: a clean-up may be just about to remove what no thread has needed for long.
    if (this.renew(sha256) && statSync(file, { throwIfNoEntry: false })?.size === content.length) {
      return { ...reference, file: undefined };
    }
    makePrivateDirectory(dirname(file));
    const temporary = `${file}.${process.pid}.new`;
    try {
      const descriptor = openSync(temporary, "w", 0o600);
      try {
        for (let done = 0; done < content.length; ) done += writeSync(descriptor, content, done);
      } finally {
        closeSync(descriptor);
      }
      renameSync(temporary, file);
    } catch (error) {
      removeQuietly(temporary);
      throw error;
    }
    return { ...reference, file };
  }

  /** The text, or its first `maxBytes` bytes; `undefined` where the file is missing or not what it was. */
  read({ sha256, bytes }: OutputReference, maxBytes = Number.POSITIVE_INFINITY): string | undefined {
    if (!isOutputName(sha256)) return undefined;
    let content: Buffer;
    try {
      content = readHead(this.fileOf(sha256), Math.min(bytes, maxBytes));
    } catch {
      return undefined;
    }
    if (content.length < Math.min(bytes, maxBytes)) return undefined;
    // A part cannot be checked; a character that the bound has cut in two is left out.
    if (bytes > maxBytes) return new TextDecoder().decode(content, { stream: true });
    return createHash("sha256").update(content).digest("hex") === sha256 ? content.toString("utf8") : undefined;
  }
}

export function isOutputName(sha256: unknown): sha256 is string {
  return typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256);
}

function readHead(file: string, bytes: number): Buffer {
  const descriptor = openSync(file, "r");
  try {
    const content = Buffer.alloc(bytes);
    let done = 0;
    while (done < bytes) {
      const read = readSync(descriptor, content, done, bytes - done, done);
      if (read === 0) break;
      done += read;
    }
    return content.subarray(0, done);
  } finally {
    closeSync(descriptor);
  }
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was renamed or never made.
  }
}
