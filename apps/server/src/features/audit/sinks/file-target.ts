import { type FileHandle, mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import type { AuditEntry } from "../audit-entry.ts";
import { sinkForm } from "./sink-form.ts";
import type { SinkTarget } from "./sink-queue.ts";

type OpenFile = { readonly path: string; readonly handle: FileHandle };

const BATCH = 256;

/**
 * One file of JSON lines for each day (UTC), `audit-2026-01-31.jsonl`, mode 0600. One server writes to a directory. A full
 * disk leaves no half of a line: what was written of a batch is taken back, and the batch tried again.
 */
export function fileTarget(directory: string, now: () => number): SinkTarget {
  let current: OpenFile | undefined;

  async function fileOf(day: string): Promise<OpenFile> {
    const path = join(directory, `audit-${day}.jsonl`);
    if (current?.path === path) return current;
    await current?.handle.close();
    current = undefined;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    current = { path, handle: await open(path, "a", 0o600) };
    return current;
  }

  return {
    name: "file",
    batch: BATCH,
    async deliver(entries: readonly AuditEntry[]) {
      const { handle } = await fileOf(new Date(now()).toISOString().slice(0, 10));
      const lines = Buffer.from(entries.map((entry) => `${JSON.stringify(sinkForm(entry))}\n`).join(""));
      const { size } = await handle.stat();
      try {
        for (let done = 0; done < lines.length; ) {
          done += (await handle.write(lines, done, lines.length - done)).bytesWritten;
        }
      } catch (error) {
        await handle.truncate(size);
        throw error;
      }
    },
    async close() {
      await current?.handle.close();
    },
  };
}
