import type { Stats } from "node:fs";
import { closeSync, constants, existsSync, fstatSync, mkdirSync, openSync, readlinkSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import { systemErrorCode } from "../failure.ts";
import type { Confinement, LocateOptions, Place } from "./confinement.ts";
import { MAX_SYMLINKS, outside, refuseNul, systemError } from "./confinement.ts";
import { requireOutsideGit } from "./git-directory.ts";

/** open(2): a handle on the entry itself, which neither reads it nor waits for it. Node has no constant for it. */
const O_PATH = 0o10000000;
const HOLD = O_PATH | constants.O_NOFOLLOW;
const HELD_DIRECTORIES = "/proc/self/fd";

type HeldDirectory = { readonly fd: number; readonly name: string };
type Entry = { readonly fd: number; readonly stats: Stats };

/** Whether this system lets us walk through directories that we hold open. */
export function supportsHeldDirectories(): boolean {
  return process.platform === "linux" && existsSync(HELD_DIRECTORIES);
}

/**
 * Walks one component at a time, from a directory that is held open to the next (`/proc/self/fd/N/name` with
 * O_NOFOLLOW), and resolves symlinks by hand. A path is never handed to the system as a whole, so there is no moment
 * between check and use in which it could come to mean something else. `..` goes back to the directory we came from.
 */
export class LinuxConfinement implements Confinement {
  readonly root: string;
  readonly #root: HeldDirectory;
  /** Absolute paths that mean the root: without symlinks, and as it was given. */
  readonly #aliases: readonly string[];

  constructor(root: string) {
    this.root = realpathSync(root);
    this.#aliases = [this.root, resolve(root)].map((path) => (path === "/" ? "" : path));
    this.#root = { fd: openSync(this.root, O_PATH | constants.O_DIRECTORY), name: "." };
  }

  locate(path: string, options: LocateOptions = {}): Place {
    const held: HeldDirectory[] = [this.#root];
    try {
      return this.#walk(path, held, options);
    } catch (error) {
      for (const { fd } of held.slice(1)) closeSync(fd);
      throw error;
    }
  }

  close(): void {
    closeSync(this.#root.fd);
  }

  #walk(path: string, held: HeldDirectory[], options: LocateOptions): Place {
    refuseNul(path);
    const pending = this.#components(path, path, held);
    let symlinks = 0;
    for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        if (held.length === 1) throw outside(path);
        const left = held.pop();
        if (left !== undefined) closeSync(left.fd);
        continue;
      }
      const entry = this.#enter(held, name, { create: options.createParents === true && pending.length > 0 });
      if (entry === undefined) {
        if (pending.some((rest) => rest !== "" && rest !== ".")) throw systemError("ENOENT", path);
        return new HeldPlace(held, name, undefined);
      }
      if (entry.stats.isSymbolicLink()) {
        closeSync(entry.fd);
        symlinks += 1;
        if (symlinks > MAX_SYMLINKS || options.symlinks === "refuse") throw systemError("ELOOP", path);
        const target = readlinkSync(`${HELD_DIRECTORIES}/${lastOf(held).fd}/${name}`);
        pending.unshift(...this.#components(target, path, held));
      } else if (entry.stats.isDirectory()) {
        held.push({ fd: entry.fd, name });
      } else if (pending.length > 0) {
        closeSync(entry.fd);
        throw systemError("ENOTDIR", path);
      } else {
        return new HeldPlace(held, name, entry);
      }
    }
    return new HeldPlace(held, undefined, undefined);
  }

  /** Splits a path; an absolute one starts again at the root. */
  #components(path: string, asked: string, held: HeldDirectory[]): string[] {
    if (!path.startsWith("/")) return path.split("/");
    const base = this.#aliases.find((alias) => path === alias || path.startsWith(`${alias}/`));
    if (base === undefined) throw outside(asked);
    for (const { fd } of held.splice(1)) closeSync(fd);
    return path.slice(base.length).split("/");
  }

  #enter(held: HeldDirectory[], name: string, { create }: { create: boolean }): Entry | undefined {
    const path = `${HELD_DIRECTORIES}/${lastOf(held).fd}/${name}`;
    try {
      return hold(path);
    } catch (error) {
      if (systemErrorCode(error) !== "ENOENT") throw error;
      if (!create) return undefined;
    }
    requireOutsideGit(held.map((directory) => directory.name).join("/"));
    try {
      mkdirSync(path);
    } catch (error) {
      // Somebody was faster. Whatever it is now, it is checked like any other entry.
      if (systemErrorCode(error) !== "EEXIST") throw error;
    }
    return hold(path);
  }
}

function hold(path: string): Entry {
  const fd = openSync(path, HOLD);
  try {
    return { fd, stats: fstatSync(fd) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function lastOf(held: readonly HeldDirectory[]): HeldDirectory {
  const last = held.at(-1);
  if (last === undefined) throw systemError("EBADF", ".");
  return last;
}

/** The last held directory and a name in it, or that directory itself. */
class HeldPlace implements Place {
  readonly path: string;
  readonly name: string;
  readonly stats: Stats | undefined;
  readonly #held: readonly HeldDirectory[];
  readonly #entry: number | undefined;
  readonly #parent: HeldDirectory | undefined;

  constructor(held: readonly HeldDirectory[], name: string | undefined, entry: Entry | undefined) {
    const directory = lastOf(held);
    this.#held = held;
    this.#entry = name === undefined ? directory.fd : entry?.fd;
    this.#parent = name === undefined ? held.at(-2) : directory;
    this.name = name ?? directory.name;
    this.stats = name === undefined ? fstatSync(directory.fd) : entry?.stats;
    const names = held.slice(1).map((each) => each.name);
    this.path = [...names, ...(name === undefined ? [] : [name])].join("/") || ".";
  }

  sibling(name: string): string {
    if (this.#parent === undefined) throw systemError("EISDIR", this.path);
    return `${HELD_DIRECTORIES}/${this.#parent.fd}/${name}`;
  }

  open(): number {
    // The handle is reopened, not the path: it is this very file, whatever its name leads to by now.
    return openSync(`${HELD_DIRECTORIES}/${this.#handle()}`, constants.O_RDONLY | constants.O_NOCTTY);
  }

  directory(): string {
    return `/proc/${process.pid}/fd/${this.#handle()}`;
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.#held.slice(1)) closeSync(fd);
    if (this.#entry !== undefined && this.#entry !== lastOf(this.#held).fd) closeSync(this.#entry);
  }

  #handle(): number {
    if (this.#entry === undefined) throw systemError("ENOENT", this.path);
    return this.#entry;
  }
}
