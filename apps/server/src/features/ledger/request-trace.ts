import { randomUUID } from "node:crypto";
import { closeSync, fstatSync, futimesSync, mkdirSync, openSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { OpenedRequest, OpenRequest, RequestTrace } from "../../gateway-types.ts";
import { type Listed, LiveList } from "../../kit/live-list.ts";
import type { Log } from "../../kit/log.ts";
import { markOfThisProcess } from "../../kit/process-mark.ts";
import { Trouble } from "../../kit/trouble.ts";

/** `{process}.{number}.requests` */
export const TRACE_SUFFIX = ".requests";

export type RequestTraceOptions = {
  readonly directory: string;
  /** The name under which the budgets know this process, as long as nobody takes it for dead. */
  readonly process: string;
  readonly log: Log;
  /** From which size on a new file is begun, with what is open then. Default 4 MiB. */
  readonly fileBytes?: number;
  /** Unix milliseconds. */
  readonly now?: () => number;
};

const FILE_BYTES = 4 * 1024 * 1024;
/** What could not be written is tried again together with what comes next, up to so much. */
const MAX_UNWRITTEN = 1024 * 1024;
/** A file that is not the last one any more goes after so long: the rows of what ended in it are in the journal then. */
const KEEP_MS = 10_000;

/** What a trace file says, beside the opened requests, which are JSON. Ids hold no space; a line that is torn has no end. */
const lineOfOpened = (request: OpenedRequest): string => `${JSON.stringify(request)}\n`;
const lineOfClosed = (id: string, costMicroUsd: number): string => `-${id} ${costMicroUsd};\n`;
const lineOfTold = (sequence: number): string => `=${sequence};\n`;

const NOTHING: OpenedRequest["worst"] = { inputTokens: 0, outputTokens: 0, costMicroUsd: 0 };

type TraceFile = { readonly path: string; readonly fd: number; size: number; readonly limit: number };

/** `told`: the budgets' store knows of everything that ended in it. */
type OldFile = { readonly path: string; readonly sinceMs: number; told: boolean };

/**
 * Opened requests as lines of a file. They are written synchronously, all of one turn of the event loop in one call, and
 * only then sent: what has reached a provider is in the kernel's hands, which a `kill -9` does not undo. Nothing is synced,
 * since a power cut is another matter, and nothing of it is read again but by whoever finds the file after a crash.
 */
export class FileRequestTrace implements RequestTrace {
  #process: string;
  readonly #options: RequestTraceOptions;
  readonly #open = new LiveList<Opened>();
  readonly #trouble: Trouble;
  #lines = "";
  #sends: (() => void)[] = [];
  #scheduled = false;
  #file: TraceFile | undefined;
  #old: OldFile[] = [];
  #telling: readonly OldFile[] = [];
  #files = 0;
  /** Something has ended since the budgets last told their store. */
  #untold = false;
  /** No line says yet that it was told. */
  #unsaid = false;
  /** Lines of this file are lost: the next write begins another, with what is open then. */
  #isStale = false;

  constructor(options: RequestTraceOptions) {
    this.#options = options;
    this.#process = options.process;
    this.#trouble = new Trouble(options.log, "open requests cannot be written down: a crash would forget them");
  }

  get process(): string {
    return this.#process;
  }

  /** Whether the disk did not take the last lines: a crash would forget what they say. */
  get isUnwritable(): boolean {
    return this.#trouble.lasts;
  }

  open(request: OpenedRequest, send: () => void, before?: OpenRequest): OpenRequest {
    const opened = before instanceof Opened ? before : new Opened(this, request);
    opened.is(request);
    this.#open.add(opened);
    this.#lines += opened.line;
    this.#sends.push(send);
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => this.#turn());
    }
    return opened;
  }

  /** Goes along with what is written next: until then its row says the same. */
  closed(opened: Opened, costMicroUsd: number): void {
    if (opened.place === -1) return;
    this.#open.delete(opened);
    this.#lines += lineOfClosed(opened.request.id, costMicroUsd);
    this.#untold = true;
    this.#unsaid = true;
  }

  /** Charged for and with a row by itself, so that what is still open is the request alone, with nothing used. */
  replaced(opened: Opened, attemptId: string, costMicroUsd: number): void {
    if (opened.place === -1) return;
    const { request } = opened;
    this.#lines +=
      lineOfOpened({ ...request, id: attemptId, isReplaced: true }) + lineOfClosed(attemptId, costMicroUsd);
    opened.is({ ...request, worst: NOTHING });
    this.#lines += opened.line;
    this.#untold = true;
    this.#unsaid = true;
  }

  /** The budgets are about to tell their store, under this number, what all requests cost that have ended until now. */
  telling(sequence: number): void {
    this.#telling = [...this.#old];
    this.#untold = false;
    if (!this.#unsaid) return;
    this.#lines += lineOfTold(sequence);
    this.#unsaid = !this.#write();
  }

  /** And the store has it. */
  told(): void {
    for (const old of this.#telling) old.told = true;
    this.#telling = [];
  }

  /**
   * Tells other processes that these files have an owner. Where one of them thought otherwise and has taken the file
   * away, what is open and what comes next go to a new one, under a new name: that of before is accounted for.
   */
  touch(): void {
    this.#letGo();
    if (this.#file === undefined) return;
    const now = new Date(this.#now());
    futimesSync(this.#file.fd, now, now);
    if (fstatSync(this.#file.fd).nlink === 0) this.rename();
  }

  /** Gives the name that this process has from now on. */
  rename(): string {
    this.#process = randomUUID();
    if (this.#file !== undefined) {
      this.#isStale = true;
      this.#write();
    }
    return this.#process;
  }

  owns(path: string): boolean {
    return this.#file?.path === path || this.#old.some((old) => old.path === path);
  }

  /** Nothing more comes. What is not accounted for stays for whoever starts next. */
  close({ isSettled }: { readonly isSettled: boolean }): void {
    this.#write();
    const { size } = this.#open;
    if (this.#file !== undefined) closeSync(this.#file.fd);
    if (!isSettled || size > 0 || this.#untold) return;
    for (const { path } of this.#old) remove(path);
    if (this.#file !== undefined) remove(this.#file.path);
  }

  #turn(): void {
    this.#scheduled = false;
    this.#write();
    const sends = this.#sends;
    this.#sends = [];
    for (const send of sends) send();
  }

  /** Says whether all is written. */
  #write(): boolean {
    if (this.#lines === "" && !this.#isStale) return true;
    const bytes = Buffer.from(this.#lines);
    try {
      const file = this.#current();
      const written = writeSync(file.fd, bytes);
      file.size += written;
      if (written < bytes.length) throw new Error("the disk is full");
      this.#lines = "";
      this.#trouble.isOver();
      return true;
    } catch (error) {
      this.#trouble.is(error);
      const isTooMuch = bytes.length > MAX_UNWRITTEN;
      // After a line that may be half there.
      this.#lines = isTooMuch ? "" : `\n${this.#lines}`;
      // Among them may be ends of what this file says is open.
      if (isTooMuch) this.#isStale = true;
      return false;
    }
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }

  /** Of the files that say nothing any more which is not known elsewhere. */
  #letGo(): void {
    const now = this.#now();
    this.#old = this.#old.filter(({ path, sinceMs, told }) => {
      const isDone = told && Math.abs(now - sinceMs) > KEEP_MS;
      if (isDone) remove(path);
      return !isDone;
    });
  }

  #current(): TraceFile {
    if (this.#file !== undefined && this.#file.size < this.#file.limit && !this.#isStale) return this.#file;
    this.#letGo();
    const { directory, fileBytes = FILE_BYTES } = this.#options;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#files += 1;
    const path = join(directory, `${this.#process}.${String(this.#files).padStart(6, "0")}${TRACE_SUFFIX}`);
    const open = this.#open.all().map(({ line }) => line);
    const start = Buffer.from(`${JSON.stringify({ owner: markOfThisProcess() })}\n${open.join("")}`);
    const size = start.length;
    const fd = begun(path, start);
    if (this.#file !== undefined) {
      closeSync(this.#file.fd);
      this.#old.push({ path: this.#file.path, sinceMs: this.#now(), told: false });
    }
    this.#isStale = false;
    this.#file = { path, fd, size, limit: Math.max(fileBytes, 2 * size) };
    return this.#file;
  }
}

class Opened implements OpenRequest, Listed {
  readonly #trace: FileRequestTrace;
  request: OpenedRequest;
  line = "";
  place = -1;

  constructor(trace: FileRequestTrace, request: OpenedRequest) {
    this.#trace = trace;
    this.request = request;
  }

  /** What it leaves as, from now on. */
  is(request: OpenedRequest): void {
    this.request = request;
    this.line = lineOfOpened(request);
  }

  close(costMicroUsd: number): void {
    this.#trace.closed(this, costMicroUsd);
  }

  replaced(attemptId: string, costMicroUsd: number): void {
    this.#trace.replaced(this, attemptId, costMicroUsd);
  }
}

/** A new file that begins with all of these bytes, or none. @throws where the disk does not take them */
function begun(path: string, start: Buffer): number {
  const fd = openSync(path, "ax", 0o600);
  try {
    if (writeSync(fd, start) < start.length) throw new Error("the disk is full");
    return fd;
  } catch (error) {
    closeSync(fd);
    remove(path);
    throw error;
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Another process has thought that this one was dead, and has brought it in.
  }
}
