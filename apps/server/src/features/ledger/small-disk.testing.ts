import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runProcess } from "@loom/testkit";
import { temporaryDirectory } from "./ledger.testing.ts";

export type SmallDisk = AsyncDisposable & {
  readonly path: string;
  /** Not everybody may mount; then there is no disk that could be full. */
  readonly isMounted: boolean;
  /** Every last block, and says in which file. */
  fillUp(): string;
};

/** A file system of 1 MiB. */
export async function smallDisk(): Promise<SmallDisk> {
  const home = await temporaryDirectory();
  const path = join(home.path, "disk");
  mkdirSync(path);
  const mounted = await runProcess("mount", ["-t", "tmpfs", "-o", "size=1m", "loom-test", path]).catch(() => undefined);
  const isMounted = mounted?.code === 0;
  return {
    path,
    isMounted,
    fillUp() {
      const ballast = join(path, "ballast");
      for (const size of [64 * 1024, 4_096, 1]) {
        for (let isFull = false; !isFull; ) {
          try {
            writeFileSync(ballast, Buffer.alloc(size), { flag: "a" });
          } catch {
            isFull = true;
          }
        }
      }
      return ballast;
    },
    async [Symbol.asyncDispose]() {
      if (isMounted) await runProcess("umount", [path]);
      await home[Symbol.asyncDispose]();
    },
  };
}
