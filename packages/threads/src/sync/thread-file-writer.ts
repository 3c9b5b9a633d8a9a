import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

const BATCH_BYTES = 1024 * 1024;

/** Writes a file in batches at a place that only grows; holds one batch at most. */
export class FileTail {
  readonly #descriptor: number;
  #position: number;
  #batch: Buffer[] = [];
  #size = 0;

  constructor(descriptor: number, position: number) {
    this.#descriptor = descriptor;
    this.#position = position;
  }

  /** Where the next byte goes. */
  get position(): number {
    return this.#position + this.#size;
  }

  line(text: string | Uint8Array): void {
    this.#add(Buffer.concat([Buffer.from(text as Uint8Array), Buffer.from("\n")]));
  }

  /** Bytes `start` to `end` of another file. */
  copy(file: string, start: number, end: number): void {
    const source = openSync(file, "r");
    try {
      for (let at = start; at < end; ) {
        const chunk = Buffer.allocUnsafe(Math.min(BATCH_BYTES, end - at));
        const read = readSync(source, chunk, 0, chunk.length, at);
        if (read === 0) throw new Error(`${file} ends at ${at}, before ${end}`);
        this.#add(chunk.subarray(0, read));
        at += read;
      }
    } finally {
      closeSync(source);
    }
  }

  flush(): void {
    const bytes = Buffer.concat(this.#batch);
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#descriptor, bytes, done, bytes.length - done, this.#position + done);
    }
    this.#position += bytes.length;
    this.#batch = [];
    this.#size = 0;
  }

  #add(bytes: Buffer): void {
    this.#batch.push(bytes);
    this.#size += bytes.length;
    if (this.#size >= BATCH_BYTES) this.flush();
  }
}

/** A new file in place of `file`, whole on disk or not there. @throws Node's own error. */
export function writeInstead(file: string, write: (tail: FileTail) => void): void {
  const temporary = `${file}.${process.pid}.new`;
  try {
    const descriptor = openSync(temporary, "w", 0o600);
    try {
      const tail = new FileTail(descriptor, 0);
      write(tail);
      tail.flush();
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectoryOf(file);
}

/** More at the end of a file, which is at `position`: what a crash left behind it is cut off. On disk when it returns. */
export function writeBehind(file: string, position: number, write: (tail: FileTail) => void): void {
  const descriptor = openSync(file, "r+");
  try {
    ftruncateSync(descriptor, position);
    const tail = new FileTail(descriptor, position);
    write(tail);
    tail.flush();
    fdatasyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes the name of a new file durable, where the system can. */
export function syncDirectoryOf(file: string): void {
  try {
    const descriptor = openSync(dirname(file), "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // Not every system can; then the file system's own order decides.
  }
}
