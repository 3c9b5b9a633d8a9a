import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

/** What went between the process and its files while it was watched. */
export type FileTraffic = { readonly readBytes: number; readonly writtenBytes: number };

/** Counts the bytes that `work` reads and writes through the synchronous functions of `node:fs`. */
export function countTraffic(work: () => void): FileTraffic {
  let readBytes = 0;
  let writtenBytes = 0;
  const restore = replace({
    readSync:
      (original) =>
      (...args) => {
        const read = original(...args);
        readBytes += Number(read);
        return read;
      },
    readFileSync:
      (original) =>
      (...args) => {
        const content = original(...args);
        readBytes += typeof content === "string" ? Buffer.byteLength(content) : (content as Uint8Array).length;
        return content;
      },
    writeSync:
      (original) =>
      (...args) => {
        const written = original(...args);
        writtenBytes += Number(written);
        return written;
      },
    writeFileSync:
      (original) =>
      (...args) => {
        writtenBytes += Buffer.byteLength(args[1] as string | Uint8Array);
        return original(...args);
      },
  });
  try {
    work();
  } finally {
    restore();
  }
  return { readBytes, writtenBytes };
}

type AnyFunction = (...args: unknown[]) => unknown;
type Replacements = { readonly [name: string]: (original: AnyFunction) => AnyFunction };

/** Puts other functions in place of those of `node:fs`, for every module of this process; undone by what it returns. */
export function replace(replacements: Replacements): () => void {
  const table = fs as unknown as Record<string, AnyFunction>;
  const originals = new Map<string, AnyFunction>();
  for (const [name, make] of Object.entries(replacements)) {
    const original = table[name];
    if (original === undefined) throw new Error(`node:fs has no ${name}`);
    originals.set(name, original);
    table[name] = make(original);
  }
  syncBuiltinESMExports();
  return () => {
    for (const [name, original] of originals) table[name] = original;
    syncBuiltinESMExports();
  };
}
