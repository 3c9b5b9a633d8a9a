import { randomBytes } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { makePrivateDirectory } from "@loom/config/private-directory";
import { ToolFailure } from "../failure.ts";

/** What the model reads of a longer output. */
const HEAD_BYTES = 10_000;
const TAIL_BYTES = 20_000;
/** Largest output that is kept; a command that prints more is stopped. */
const MAX_OUTPUT_BYTES = 1_000_000_000;
/** Files kept in the directory; the oldest go first. */
const MAX_KEPT_FILES = 100;

const FILE_NAME = /^output-\d+-[0-9a-f]+\.txt$/;

/** Beginning and end of an output. `end` is empty where `start` is all of it. */
export type OutputExcerpt = {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  readonly totalBytes: number;
  /** Where all of it is, if it is not here. */
  readonly file?: string;
};

/**
 * Takes an output of any length in bounded memory: the beginning and the end stay here, and all of it goes to a file as
 * soon as it is longer than that.
 */
export class OutputSpool {
  readonly #directory: string;
  readonly #maxBytes: number;
  #head: Buffer[] = [];
  #headBytes = 0;
  #tail: Buffer[] = [];
  #tailBytes = 0;
  #totalBytes = 0;
  #file: { readonly path: string; readonly handle: FileHandle } | undefined;
  #failure: unknown;

  constructor(directory: string, { maxBytes = MAX_OUTPUT_BYTES }: { maxBytes?: number } = {}) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
  }

  /** Throws `ToolFailure` beyond `maxBytes`. The caller gives the chunk away. */
  async write(chunk: Uint8Array): Promise<void> {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#totalBytes += bytes.length;
    if (this.#file === undefined && this.#failure === undefined && this.#totalBytes > HEAD_BYTES + TAIL_BYTES) {
      await this.#toFile(async () => {
        this.#file = await this.#createFile();
        await this.#file.handle.writeFile(Buffer.concat([...this.#head, ...this.#tail]));
      });
    }
    this.#keep(bytes);
    if (this.#file !== undefined) await this.#toFile(async () => void (await this.#file?.handle.writeFile(bytes)));
    if (this.#totalBytes > this.#maxBytes) {
      throw new ToolFailure("io", `The command printed more than ${this.#maxBytes} bytes and was stopped.`);
    }
  }

  excerpt(): OutputExcerpt {
    const start = Buffer.concat(this.#head);
    const kept = Buffer.concat(this.#tail);
    const end = kept.subarray(Math.max(0, kept.length - TAIL_BYTES));
    if (start.length + kept.length === this.#totalBytes && this.#totalBytes <= HEAD_BYTES + TAIL_BYTES) {
      return { start: Buffer.concat([start, kept]), end: Buffer.alloc(0), totalBytes: this.#totalBytes };
    }
    const whole = this.#failure === undefined && this.#file !== undefined ? { file: this.#file.path } : {};
    return { start, end, totalBytes: this.#totalBytes, ...whole };
  }

  async close(): Promise<void> {
    await this.#file?.handle.close();
  }

  #keep(bytes: Buffer): void {
    const toHead = bytes.subarray(0, HEAD_BYTES - this.#headBytes);
    if (toHead.length > 0) {
      this.#head.push(toHead);
      this.#headBytes += toHead.length;
    }
    const toTail = bytes.subarray(toHead.length);
    if (toTail.length === 0) return;
    this.#tail.push(toTail);
    this.#tailBytes += toTail.length;
    // A thousand tiny chunks become one, and what has slid out of the window is dropped.
    if (this.#tail.length < 1_000 && this.#tailBytes < 4 * TAIL_BYTES) return;
    const tail = Buffer.concat(this.#tail);
    this.#tail = [Buffer.from(tail.subarray(Math.max(0, tail.length - TAIL_BYTES)))];
    this.#tailBytes = this.#tail[0]?.length ?? 0;
  }

  /** A disk that is full costs the file, not the command. */
  async #toFile(access: () => Promise<void>): Promise<void> {
    if (this.#failure !== undefined) return;
    try {
      await access();
    } catch (error) {
      this.#failure = error;
    }
  }

  async #createFile(): Promise<{ path: string; handle: FileHandle }> {
    // Nobody else's business: a command may print what is secret.
    makePrivateDirectory(this.#directory);
    await removeOldest(this.#directory);
    const path = join(this.#directory, `output-${Date.now()}-${randomBytes(4).toString("hex")}.txt`);
    return { path, handle: await open(path, "wx", 0o600) };
  }
}

async function removeOldest(directory: string): Promise<void> {
  const files = (await readdir(directory)).filter((name) => FILE_NAME.test(name)).sort();
  for (const name of files.slice(0, Math.max(0, files.length - MAX_KEPT_FILES + 1))) {
    await rm(join(directory, name), { force: true });
  }
}
