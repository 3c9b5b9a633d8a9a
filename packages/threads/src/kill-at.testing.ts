import fs from "node:fs";
import { replace } from "./file-watch.testing.ts";

/** Everything by which a process changes files, where it waits for the change. */
const EFFECTS = [
  "writeSync",
  "writeFileSync",
  "openSync",
  "renameSync",
  "ftruncateSync",
  "unlinkSync",
  "rmSync",
  "mkdirSync",
] as const;

/**
 * Kills this process (SIGKILL) at its effect number `at` on files, counted from 1: before it, or with `half` of a write
 * done. Standard output does not count. Gives the effects so far, and which of them were writes.
 */
export function killAt(at: number, { half }: { readonly half: boolean }): () => { count: number; writes: number[] } {
  let count = 0;
  const writes: number[] = [];
  const write = fs.writeSync;
  const die = () => {
    process.kill(process.pid, "SIGKILL");
    // The signal is on its way: nothing more may happen.
    for (;;);
  };
  replace(
    Object.fromEntries(
      EFFECTS.map((name) => [
        name,
        (original) =>
          (...args) => {
            const [target, content] = args;
            if (target === 1 || (name === "openSync" && (args[1] === "r" || args[1] === undefined)))
              return original(...args);
            count += 1;
            if (name === "writeSync") writes.push(count);
            if (count === at) {
              if (half && name === "writeSync") {
                const bytes = Buffer.from(content as Uint8Array | string);
                const position = typeof args[4] === "number" ? args[4] : null;
                const from = typeof args[2] === "number" ? args[2] : 0;
                write(target as number, bytes, from, Math.floor((bytes.length - from) / 2), position);
              }
              die();
            }
            return original(...args);
          },
      ]),
    ),
  );
  return () => ({ count, writes });
}
