import { close, openSync, write } from "node:fs";
import { dirname } from "node:path";
import { makePrivateDirectory } from "@loom/config/private-directory";

export type LogDestination = {
  write(line: string): void;
  /** Goes on in a new file of the same name: somebody has moved the old one away. @throws Node's own error; then nothing changes. */
  reopen(): void;
  /** Writes no more than what is waiting, and gives up after a second. */
  close(): Promise<void>;
};

/** Characters that wait for a slow disk or reader before further lines are dropped. */
const MAX_WAITING = 1024 * 1024;
/** A pipe that is full and may not block. */
const RETRY_MS = 20;
const CLOSE_MS = 1_000;
/** Lines wait so long for others: a write for each would cost more than making them. */
const GATHER_MS = 25;

/**
 * Writes lines in order and in the background to a file (mode 0600), or to a descriptor that is open already. The log
 * never stops the server: on a full disk, or when its reader went away, lines are dropped and later ones tried again.
 * @throws Node's own error where the file cannot be opened.
 */
export function openLogDestination(
  target: { readonly file: string } | { readonly descriptor: number },
): LogDestination {
  let descriptor = "file" in target ? openLogFile(target.file) : target.descriptor;
  /** The one to go on in, when what is being written has been. */
  let next: number | undefined;
  let waiting = "";
  let writing = false;
  let closed = false;
  let onIdle = (): void => {};
  let gathering: NodeJS.Timeout | undefined;

  const changeOver = (): void => {
    if (next === undefined) return;
    close(descriptor, () => {});
    descriptor = next;
    next = undefined;
  };
  const writeGathered = (): void => {
    clearTimeout(gathering);
    gathering = undefined;
    writeNext();
  };
  const writeNext = (): void => {
    changeOver();
    if (waiting === "") {
      writing = false;
      onIdle();
      return;
    }
    writing = true;
    const bytes = Buffer.from(waiting, "utf8");
    waiting = "";
    writeBytes(bytes);
  };
  const writeBytes = (bytes: Buffer): void => {
    write(descriptor, bytes, (error, written) => {
      if (error?.code === "EAGAIN") setTimeout(() => writeBytes(bytes), RETRY_MS);
      else if (error === null && written < bytes.length) writeBytes(bytes.subarray(written));
      // Meanwhile more may have come, which waits for others again.
      else if (waiting === "" || closed) writeNext();
      else gathering = setTimeout(writeGathered, GATHER_MS);
    });
  };

  return {
    write(line) {
      if (closed || waiting.length + line.length > MAX_WAITING) return;
      waiting += line;
      if (!writing) gathering ??= setTimeout(writeGathered, GATHER_MS);
    },
    reopen() {
      if (closed || !("file" in target)) return;
      const opened = openLogFile(target.file);
      if (next !== undefined) close(next, () => {});
      next = opened;
      if (!writing) changeOver();
    },
    async close() {
      if (closed) return;
      closed = true;
      if (gathering !== undefined) writeGathered();
      if (writing) await idleOrLate((done) => (onIdle = done));
      if ("file" in target && !writing) close(descriptor, () => {});
    },
  };
}

function openLogFile(file: string): number {
  makePrivateDirectory(dirname(file));
  return openSync(file, "a", 0o600);
}

function idleOrLate(whenIdle: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, CLOSE_MS);
    whenIdle(() => {
      clearTimeout(late);
      resolve();
    });
  });
}
