import type { Stats } from "node:fs";
import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { systemErrorCode } from "../failure.ts";
import type { Confinement, LocateOptions, Place } from "./confinement.ts";
import { MAX_SYMLINKS, outside, refuseNul, systemError } from "./confinement.ts";
import { requireOutsideGit } from "./git-directory.ts";

/**
 * For systems without `/proc/self/fd`. Paths are resolved as a whole and checked, and checked again once something was
 * opened. This makes a race with somebody who swaps directories for symlinks hard to win, not impossible: Node has no
 * openat(2), and this is as near as paths alone come. `..` is resolved before symlinks are.
 */
export class PortableConfinement implements Confinement {
  readonly root: string;
  /** Absolute paths that mean the root: without symlinks, and as it was given. */
  readonly #aliases: readonly string[];

  constructor(root: string) {
    this.root = realpathSync(root);
    this.#aliases = [this.root, resolve(root)];
  }

  locate(path: string, options: LocateOptions = {}): Place {
    refuseNul(path);
    // Before anything is made or looked at: `..` and absolute paths that lead away as they stand.
    const base = this.#aliases.find((alias) => isInside(alias, resolve(this.root, path)));
    if (base === undefined) throw outside(path);
    const asked = join(this.root, relative(base, resolve(this.root, path)));
    if (options.createParents === true) this.#makeParents(dirname(asked), path);
    const real = this.#resolve(asked, path, 0);
    if (options.symlinks === "refuse" && real !== asked) throw systemError("ELOOP", path);
    return new PathPlace(real, statsOf(real), { root: this.root, asked: path });
  }

  close(): void {}

  /** Like realpath(3), but the last component may be missing. */
  #resolve(absolute: string, asked: string, depth: number): string {
    if (depth > MAX_SYMLINKS) throw systemError("ELOOP", asked);
    if (absolute === this.root) return absolute;
    const parent = realpathSync(dirname(absolute));
    const real = join(parent, basename(absolute));
    this.#requireInside(real, asked);
    if (!statsOf(real)?.isSymbolicLink()) return real;
    return this.#resolve(resolve(parent, readlinkSync(real)), asked, depth + 1);
  }

  #makeParents(directory: string, asked: string): void {
    if (statsOf(directory) !== undefined) {
      this.#requireInside(realpathSync(directory), asked);
      return;
    }
    this.#makeParents(dirname(directory), asked);
    requireOutsideGit(relative(this.root, realpathSync(dirname(directory))));
    mkdirSync(directory);
  }

  #requireInside(absolute: string, asked: string): void {
    if (!isInside(this.root, absolute)) throw outside(asked);
  }
}

function isInside(root: string, absolute: string): boolean {
  const path = relative(root, absolute);
  return path === "" || (path !== ".." && !path.startsWith(`..${sep}`) && !isAbsolute(path));
}

function statsOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

class PathPlace implements Place {
  readonly path: string;
  readonly name: string;
  readonly stats: Stats | undefined;
  readonly #absolute: string;
  readonly #root: string;
  readonly #asked: string;

  constructor(absolute: string, stats: Stats | undefined, { root, asked }: { root: string; asked: string }) {
    this.path = relative(root, absolute).split(sep).join("/") || ".";
    this.name = basename(absolute);
    this.stats = stats;
    this.#absolute = absolute;
    this.#root = root;
    this.#asked = asked;
  }

  sibling(name: string): string {
    this.#check(dirname(this.#absolute));
    return join(dirname(this.#absolute), name);
  }

  open(): number {
    const fd = openSync(this.#absolute, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    try {
      const opened = fstatSync(fd);
      if (opened.ino !== this.stats?.ino || opened.dev !== this.stats.dev) throw outside(this.#asked);
      this.#check(this.#absolute);
      return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  directory(): string {
    this.#check(this.#absolute);
    return this.#absolute;
  }

  [Symbol.dispose](): void {}

  /** Fails if the path no longer leads where it led when it was located. */
  #check(absolute: string): void {
    if (realpathSync(absolute) !== absolute || !isInside(this.#root, absolute)) throw outside(this.#asked);
  }
}
