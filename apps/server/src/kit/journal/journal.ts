import { randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { type Lines, wholeLines } from "./whole-lines.ts";

/** A file that its process still writes to or has died over. */
export const SEGMENT_SUFFIX = ".journal";
/** A file that nobody writes to any more. */
export const CLOSED_SUFFIX = ".closed.journal";

/** What is in the kernel's hands and not in the database yet. */
export type Chunk<Entry> = {
  readonly entries: readonly Entry[];
  /** What they take of `waitingBytes`. */
  readonly bytes: number;
  /** Says that they are committed. */
  take(): void;
};

/** One write. */
type Batch<Entry> = { readonly start: number; readonly bytes: number; readonly entries: readonly Entry[] };

type Segment<Entry> = {
  readonly path: string;
  readonly handle: FileHandle;
  /** Bytes that are in the file, whole lines all of them. */
  written: number;
  /** Of these, what is in the database. */
  taken: number;
  /** The last writes, oldest first: as long as they are few rows, nothing has to be read again. */
  batches: Batch<Entry>[];
  /** In `batches`. */
  rows: number;
  unsynced: boolean;
};

/** Rows that stay in memory until they are in the database. */
const MAX_ROWS = 4_096;
const READ_BYTES = 128 * 1024;
const DEFAULT_CHUNK_ROWS = 256;

const SEGMENT_BYTES = 4 * 1024 * 1024;

/**
 * The lines of one process on their way to the database: files of mode 0600 that only grow, each deleted when all of it
 * is committed. `append` is called by one caller at a time, and so are `next` and `release`.
 */
export class Journal<Entry> {
  readonly #directory: string;
  readonly #entryOf: (line: string) => Entry | undefined;
  readonly #chunkRows: number;
  /** Oldest first; the last one may be the one that is being written. */
  #segments: Segment<Entry>[] = [];
  #current: Segment<Entry> | undefined;
  #appending = false;
  /** Since the last `release`. */
  #appended = false;
  #directoryUnsynced = false;

  /**
   * `entryOf`: what a line says, without its newline; nothing for what is damaged. `chunkRows`: how many rows `next` gives at
   * most; default 256.
   */
  constructor(
    directory: string,
    entryOf: (line: string) => Entry | undefined,
    { chunkRows = DEFAULT_CHUNK_ROWS }: { readonly chunkRows?: number } = {},
  ) {
    this.#directory = directory;
    this.#entryOf = entryOf;
    this.#chunkRows = chunkRows;
  }

  /** Bytes that wait for the database. */
  get waitingBytes(): number {
    return this.#segments.reduce((sum, { written, taken }) => sum + written - taken, 0);
  }

  /** Whether as many rows wait as `next` gives at most. */
  get hasWholeChunk(): boolean {
    // Where more wait than are kept in memory, memory is full of them.
    return this.#segments.some(({ rows }) => rows >= this.#chunkRows);
  }

  /** Bytes of all files, also of what is committed. */
  get fileBytes(): number {
    return this.#segments.reduce((sum, { written }) => sum + written, 0);
  }

  /** A file whose lines are all committed stays for those to come; `release` deletes it when none have. */
  get hasSpentFile(): boolean {
    return this.#current !== undefined && isDone(this.#current);
  }

  owns(path: string): boolean {
    return this.#segments.some((segment) => segment.path === path);
  }

  /** All of `lines` or nothing. When it resolves they survive the end of this process, though not yet a power cut. */
  async append(lines: Buffer, entries: readonly Entry[]): Promise<void> {
    this.#appending = true;
    this.#appended = true;
    try {
      const segment = this.#current ?? (await this.#begin());
      await this.#write(segment, lines);
      segment.batches.push({ start: segment.written, bytes: lines.length, entries });
      segment.rows += entries.length;
      while (segment.rows > MAX_ROWS) segment.rows -= segment.batches.shift()?.entries.length ?? segment.rows;
      segment.written += lines.length;
      segment.unsynced = true;
      if (segment.written >= SEGMENT_BYTES) this.#current = undefined;
    } finally {
      this.#appending = false;
    }
  }

  /** The oldest rows that are not in the database, as many as one transaction should have. */
  async next(): Promise<Chunk<Entry> | undefined> {
    const segment = this.#segments.find(({ written, taken }) => taken < written);
    if (segment === undefined) return undefined;
    const [batch] = segment.batches;
    if (batch !== undefined && batch.start === segment.taken) return chunkOf(segment, this.#chunkRows);
    const { lines, bytes } = await this.#read(segment, batch?.start ?? segment.written);
    const take = (): void => {
      segment.taken += bytes;
    };
    return { entries: lines.flatMap((line) => this.#entryOf(line) ?? []), bytes, take };
  }

  async #read({ handle, taken }: Segment<Entry>, end: number): Promise<Lines> {
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - taken));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, taken);
    return wholeLines(buffer.subarray(0, bytesRead), this.#chunkRows);
  }

  /**
   * Deletes the files whose lines are all committed, once `committed` says that this is on the disk. The one that is
   * written to stays as long as something was appended since the last time: a new one for each would cost much more.
   */
  async release(committed: () => Promise<void>): Promise<void> {
    const isQuiet = !this.#appending && !this.#appended;
    this.#appended = false;
    if (isQuiet && this.#current !== undefined && isDone(this.#current)) this.#current = undefined;
    const done = this.#segments.filter((segment) => segment !== this.#current && isDone(segment));
    if (done.length === 0) return;
    await committed();
    this.#segments = this.#segments.filter((segment) => !done.includes(segment));
    for (const { handle, path } of done) {
      await handle.close();
      await unlink(path).catch(ignoreMissing);
    }
  }

  /** When it resolves, what was appended before survives a power cut. */
  async sync(): Promise<void> {
    for (const segment of this.#segments) {
      if (!segment.unsynced) continue;
      segment.unsynced = false;
      await segment.handle.datasync().catch((error: unknown) => {
        segment.unsynced = true;
        throw error;
      });
    }
    if (!this.#directoryUnsynced) return;
    this.#directoryUnsynced = false;
    await this.#syncDirectory().catch((error: unknown) => {
      this.#directoryUnsynced = true;
      throw error;
    });
  }

  /**
   * Tells other processes that these files have an owner. Where one of them thought otherwise (a clock that jumped) and
   * has taken the file away, what comes next goes to a new one.
   */
  async touch(): Promise<void> {
    const now = new Date();
    for (const segment of this.#segments) {
      await segment.handle.utimes(now, now);
      const { nlink } = await segment.handle.stat();
      if (nlink === 0 && segment === this.#current) this.#current = undefined;
    }
  }

  /** Leaves what is not in the database to whoever opens it next; `isHeld`: and all else that was not released. */
  async close({ isHeld = false }: { readonly isHeld?: boolean } = {}): Promise<void> {
    this.#current = undefined;
    for (const { handle, path, ...segment } of this.#segments) {
      const isOver = isDone(segment) && !isHeld;
      if (!isOver) await handle.datasync();
      await handle.close();
      if (isOver) await unlink(path).catch(ignoreMissing);
      else await rename(path, path.replace(SEGMENT_SUFFIX, CLOSED_SUFFIX)).catch(ignoreMissing);
    }
    this.#segments = [];
  }

  async #syncDirectory(): Promise<void> {
    const directory = await open(this.#directory, "r");
    await directory.sync().finally(() => directory.close());
  }

  async #begin(): Promise<Segment<Entry>> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const name = `${new Date().toISOString().replaceAll(/[:.]/g, "-")}-${randomBytes(6).toString("hex")}`;
    const path = join(this.#directory, `${name}${SEGMENT_SUFFIX}`);
    const handle = await open(path, "ax+", 0o600);
    const segment = { path, handle, written: 0, taken: 0, batches: [], rows: 0, unsynced: false };
    this.#segments.push(segment);
    this.#current = segment;
    this.#directoryUnsynced = true;
    return segment;
  }

  async #write(segment: Segment<Entry>, lines: Buffer): Promise<void> {
    let done = 0;
    try {
      while (done < lines.length) {
        const { bytesWritten } = await segment.handle.write(lines, done, lines.length - done);
        done += bytesWritten;
      }
    } catch (error) {
      // Half a batch: cut off again, or else no more is written to this file.
      if (done > 0) {
        await segment.handle.truncate(segment.written).catch(() => {
          this.#current = undefined;
        });
      }
      throw error;
    }
  }
}

/** The first writes together, as many as fit: a transaction for each of them would cost more than its rows. */
function chunkOf<Entry>(segment: Segment<Entry>, maxRows: number): Chunk<Entry> {
  const taken: Batch<Entry>[] = [];
  const entries: Entry[] = [];
  for (const batch of segment.batches) {
    if (taken.length > 0 && entries.length + batch.entries.length > maxRows) break;
    taken.push(batch);
    entries.push(...batch.entries);
  }
  const bytes = taken.reduce((sum, batch) => sum + batch.bytes, 0);
  const take = (): void => {
    segment.taken += bytes;
    // While these were stored, some of them may have been dropped to make room.
    segment.batches = segment.batches.filter((batch) => !taken.includes(batch));
    segment.rows = segment.batches.reduce((sum, batch) => sum + batch.entries.length, 0);
  };
  return { entries, bytes, take };
}

function isDone({ written, taken }: { readonly written: number; readonly taken: number }): boolean {
  return written === taken;
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}
