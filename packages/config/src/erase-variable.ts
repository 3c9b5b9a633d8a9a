import { closeSync, openSync, readFileSync, readSync, writeSync } from "node:fs";

/** Far more than any system hands to a process (Linux: a quarter of the stack limit, usually 2 MiB). */
const MAX_ENVIRONMENT_BYTES = 16 * 1024 * 1024;

/**
 * Removes a variable of this process for good: no child inherits it, and on Linux `/proc/PID/environ`, which every
 * program of the same user can read, does not show its value any more. `env`: where to remove it; what is no more than a
 * copy of the process's own variables leaves those alone.
 */
export function eraseVariable(name: string, env: NodeJS.ProcessEnv = process.env): void {
  const value = process.env[name];
  delete env[name];
  if (value !== undefined && value !== "" && process.env[name] === undefined) eraseInitialValue(name, value);
}

/**
 * Overwrites the value in the block of memory that the kernel made for the environment when the process started, which
 * is what `/proc/PID/environ` shows: deleting a variable only forgets the pointer to it. Does nothing where it cannot.
 */
function eraseInitialValue(name: string, value: string): void {
  if (process.platform !== "linux") return;
  let memory: number | undefined;
  try {
    const { start, end } = environmentBlock();
    memory = openSync("/proc/self/mem", "r+");
    const block = Buffer.alloc(Math.min(end - start, MAX_ENVIRONMENT_BYTES));
    const length = readSync(memory, block, 0, block.length, start);
    const entry = Buffer.from(`\0${name}=${value}\0`);
    const found = Buffer.concat([Buffer.from("\0"), block.subarray(0, length)]).indexOf(entry);
    block.fill(0);
    if (found < 0) return;
    const bytes = Buffer.byteLength(value);
    writeSync(memory, Buffer.alloc(bytes, "x"), 0, bytes, start + found + Buffer.byteLength(name) + 1);
  } catch {
    // A kernel that forbids it leaves things as they are for every other program: visible to the same user.
  } finally {
    if (memory !== undefined) closeSync(memory);
  }
}

/** Fields 50 and 51 of /proc/self/stat (proc(5)): where the initial environment begins and ends. */
function environmentBlock(): { readonly start: number; readonly end: number } {
  const stat = readFileSync("/proc/self/stat", "latin1");
  // Field 2 is the program's name in parentheses and may hold anything: count from its end.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { start: Number(fields[47]), end: Number(fields[48]) };
}
