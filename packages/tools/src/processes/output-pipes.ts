import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";

/** The two ends of one pipe, as file descriptors. Whoever takes it closes them. */
export type OutputPipe = {
  /** Not blocking. */
  readonly reader: number;
  /** For the command: blocking, as programs expect it. */
  readonly writer: number;
  /** For ourselves: not blocking, because we are the one who reads. */
  readonly ownWriter: number;
};

/** Made at a time: `mkfifo` is a process, and one that makes eight pipes costs no more than one that makes one. */
const BATCH = 8;
/** In memory where the system offers it, so that a full disk leaves the shell usable. */
const PLACES = ["/dev/shm", tmpdir()];

/**
 * Real pipes for the output of commands. Node's own are sockets, where `echo x > /dev/stderr` fails, and a second
 * process that passes the output on would double the cost of a command. Names exist only until the pipes are open.
 */
export class OutputPipes {
  readonly #spare: OutputPipe[] = [];
  #making: Promise<void> | undefined;
  #isClosed = false;

  /** Throws a system error where no pipe can be made. */
  async take(path: string | undefined): Promise<OutputPipe> {
    while (true) {
      const pipe = this.#spare.pop();
      if (pipe !== undefined) return pipe;
      this.#making ??= this.#make(path).finally(() => {
        this.#making = undefined;
      });
      await this.#making;
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const pipe of this.#spare.splice(0)) closePipe(pipe);
  }

  async #make(path: string | undefined): Promise<void> {
    const mkfifo = findProgram("mkfifo", path) ?? findProgram("mkfifo", "/usr/bin:/bin") ?? "mkfifo";
    const directory = makeDirectory();
    try {
      const names = Array.from({ length: this.#isClosed ? 1 : BATCH }, (_, index) => join(directory, String(index)));
      const child = spawn(mkfifo, ["-m", "600", ...names], { stdio: "ignore", env: {} });
      await once(child, "exit");
      for (const name of names) this.#spare.push(openPipe(name));
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
}

export function closePipe({ reader, writer, ownWriter }: OutputPipe): void {
  for (const fd of [reader, writer, ownWriter]) closeSync(fd);
}

/** Absolute path of a program that can be run, by the rules of `PATH` but for relative directories. */
export function findProgram(name: string, path: string | undefined): string | undefined {
  const candidates = (path ?? "").split(":").filter(isAbsolute);
  return candidates
    .map((directory) => join(directory, name))
    .find((program) => {
      try {
        accessSync(program, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** The reader first: without one, a writer would wait. */
function openPipe(name: string): OutputPipe {
  const opened: number[] = [];
  const open = (flags: number) => {
    const fd = openSync(name, flags);
    opened.push(fd);
    return fd;
  };
  try {
    return {
      reader: open(constants.O_RDONLY | constants.O_NONBLOCK),
      writer: open(constants.O_WRONLY),
      ownWriter: open(constants.O_WRONLY | constants.O_NONBLOCK),
    };
  } catch (error) {
    for (const fd of opened) closeSync(fd);
    throw error;
  }
}

function makeDirectory(): string {
  let failure: unknown;
  for (const place of PLACES) {
    try {
      return mkdtempSync(join(place, "loom-pipes-"));
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
