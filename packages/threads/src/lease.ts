import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync, renameSync, statSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makePrivateDirectory } from "@loom/config/private-directory";
import type { ThreadId } from "@loom/core";
import { notWritable, ThreadError } from "./errors.ts";
import { isRunning, type ProcessIdentity, thisProcess } from "./process-identity.ts";

/** A process on another machine (a shared home) cannot be asked; its lease is good while it is renewed. */
const RENEW_MS = 60_000;
const FOREIGN_LEASE_MS = 5 * RENEW_MS;

const UNFINISHED = ".new";

export type Lease = { release(): void };

/**
 * The right to write one thread. @throws ThreadError `thread_in_use`; `thread_not_saved` where nothing can be written there.
 */
export function takeLease(directory: string, id: ThreadId): Lease {
  let answer: Lease | ProcessIdentity;
  try {
    answer = askForLease(directory, id);
  } catch (error) {
    throw notWritable(id, directory, error);
  }
  if ("release" in answer) return answer;
  throw inUse(id, answer, thisProcess());
}

/**
 * The right to do alone what `name` stands for, or who has it. Every contender puts down a file of its own name and
 * then looks for others: whoever sees a living one withdraws. So two never both go on, a dead process's file can be
 * removed without a race, and at worst two that start in the same instant both withdraw. @throws Node's own error.
 */
export function askForLease(directory: string, name: string): Lease | ProcessIdentity {
  makePrivateDirectory(directory);
  const own = `${name}.${randomUUID()}.lease`;
  const path = join(directory, own);
  const identity = thisProcess();
  // Its name comes when it is whole: a lease that cannot be read counts as alive while it is fresh.
  try {
    writeFileSync(`${path}${UNFINISHED}`, JSON.stringify(identity), { mode: 0o600, flag: "wx" });
    renameSync(`${path}${UNFINISHED}`, path);
  } catch (error) {
    // A full disk lets the file be made and not be written.
    remove(`${path}${UNFINISHED}`);
    throw error;
  }
  try {
    for (const other of readdirSync(directory)) {
      if (other === own || !other.startsWith(`${name}.`) || other.endsWith(UNFINISHED)) continue;
      const holder = livingHolder(join(directory, other), identity);
      if (holder === undefined) continue;
      remove(path);
      return holder;
    }
  } catch (error) {
    remove(path);
    throw error;
  }
  const renewal = setInterval(() => renew(path), RENEW_MS);
  renewal.unref();
  return {
    release() {
      clearInterval(renewal);
      remove(path);
    },
  };
}

/** Who holds the lease; the file of a holder that is gone is removed. */
function livingHolder(path: string, self: ProcessIdentity): ProcessIdentity | undefined {
  const holder = readHolder(path);
  if (holder === undefined) return undefined;
  const alive = holder.host === self.host ? isRunning(holder) : isFresh(path);
  if (alive) return holder;
  remove(path);
  return undefined;
}

function readHolder(path: string): ProcessIdentity | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined; // Released in this moment.
  }
  try {
    const { host, pid, started } = JSON.parse(text);
    if (typeof host === "string" && Number.isSafeInteger(pid) && pid > 0 && typeof started === "string") {
      return { host, pid, started };
    }
  } catch {
    // Damaged: its age decides.
  }
  return { host: "", pid: 0, started: "" };
}

function isFresh(path: string): boolean {
  try {
    return Date.now() - statSync(path).mtimeMs < FOREIGN_LEASE_MS;
  } catch {
    return false;
  }
}

function renew(path: string): void {
  const now = new Date();
  try {
    utimesSync(path, now, now);
  } catch {
    // Removed by a person, who then wants it so.
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Already gone.
  }
}

function inUse(id: ThreadId, holder: ProcessIdentity, self: ProcessIdentity): ThreadError {
  const where = holder.host === self.host || holder.host === "" ? "" : ` on ${holder.host}`;
  const who = holder.pid === self.pid && where === "" ? "this process" : `process ${holder.pid}${where}`;
  const message = `Thread ${id} is open in ${who}. End that session first, or go on in a copy: loom resume ${id} --fork.`;
  return new ThreadError("thread_in_use", message, { retryable: true });
}
