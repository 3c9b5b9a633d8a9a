import { createHash } from "node:crypto";
import type { ThreadId } from "@loom/core";
import type { Visibility } from "../record.ts";
import { addToDigest } from "./digest-chain.ts";
import type { ThreadRemote, ThreadVersion, WriteAnswer } from "./thread-remote.ts";

type Kept = { records: string[]; purged: boolean; change: number; trash?: boolean };

/** What a server does, in memory: for the many runs of the tests of properties. */
export class MemoryRemote implements ThreadRemote {
  readonly name = "the server";
  readonly maxRecordBytes = 15 * 1024 * 1024;
  readonly maxOutputBytes = 32 * 1024 * 1024;
  readonly threads = new Map<ThreadId, Kept>();
  readonly outputs = new Map<string, Uint8Array>();
  readonly visibilities = new Map<ThreadId, Visibility>();
  readonly #page: number;
  #change = 0;

  /** `page`: most records, or changes, in one answer. */
  constructor(page = 3) {
    this.#page = page;
  }

  static from(dump: string): MemoryRemote {
    const remote = new MemoryRemote();
    const { threads, outputs } = JSON.parse(dump);
    for (const [id, kept] of threads) remote.threads.set(id, kept);
    for (const [sha256, text] of outputs) remote.outputs.set(sha256, Buffer.from(text));
    remote.#change = Math.max(0, ...Array.from(remote.threads.values(), ({ change }) => change));
    return remote;
  }

  dump(): string {
    const outputs = Array.from(this.outputs, ([sha256, content]) => [sha256, Buffer.from(content).toString("utf8")]);
    return JSON.stringify({ threads: [...this.threads], outputs });
  }

  async create(id: ThreadId, records: readonly string[]): Promise<WriteAnswer> {
    const kept = this.threads.get(id);
    if (kept?.purged) return { type: "gone" };
    if (kept === undefined) {
      this.threads.set(id, { records: [...records], purged: false, change: ++this.#change });
      return { type: "done", ...this.#end(id) };
    }
    return { type: "moved", ...this.#end(id) };
  }

  async append(id: ThreadId, expected: number, records: readonly string[]): Promise<WriteAnswer> {
    const kept = this.threads.get(id);
    if (kept === undefined) return { type: "missing" };
    if (kept.purged) return { type: "gone" };
    const there = kept.records.slice(expected, expected + records.length);
    const isThere = there.length === records.length && there.every((text, index) => text === records[index]);
    if (isThere) return { type: "done", ...this.#end(id) };
    if (kept.records.length !== expected) return { type: "moved", ...this.#end(id) };
    kept.records.push(...records);
    if (records.some((text) => text.includes('"deleted":'))) delete kept.trash;
    kept.change = ++this.#change;
    return { type: "done", ...this.#end(id) };
  }

  async purge(id: ThreadId, expected: number): Promise<WriteAnswer> {
    const kept = this.threads.get(id);
    if (kept === undefined) return { type: "missing" };
    if (kept.purged) return { type: "gone" };
    if (kept.records.length !== expected) return { type: "moved", ...this.#end(id) };
    const end = this.#end(id);
    this.threads.set(id, { records: [], purged: true, change: ++this.#change });
    return { type: "done", ...end };
  }

  async records(id: ThreadId, after: number) {
    const kept = this.threads.get(id);
    if (kept === undefined) return { type: "missing" as const };
    if (kept.purged) return { type: "gone" as const };
    const page = kept.records.slice(after, after + this.#page);
    return { type: "records" as const, records: page, version: kept.records.length };
  }

  async digest(id: ThreadId, at: number) {
    const kept = this.threads.get(id);
    if (kept === undefined || kept.purged || kept.records.length < at) return undefined;
    return digestOf(kept.records.slice(0, at));
  }

  async version(id: ThreadId) {
    const kept = this.threads.get(id);
    if (kept === undefined) return "missing" as const;
    return kept.purged ? ("gone" as const) : this.#end(id);
  }

  async setVisibility(id: ThreadId, visibility: Visibility) {
    this.visibilities.set(id, visibility);
  }

  async changes(since: string | undefined) {
    const from = Number(since ?? 0);
    const changes = [...this.threads]
      .filter(([, { change }]) => change > from)
      .sort(([, a], [, b]) => a.change - b.change)
      .slice(0, this.#page);
    const cursor = String(changes.at(-1)?.[1].change ?? from);
    return {
      changes: changes.map(([id, { purged, records, trash }]) => ({
        id,
        purged,
        deleted: trash ?? isDeleted(records),
        ...this.#end(id),
      })),
      cursor,
      more: Number(cursor) < this.#change,
      rewound: from > this.#change,
    };
  }

  async missingOutputs(_: ThreadId, names: readonly string[]) {
    return names.filter((name) => !this.outputs.has(name));
  }

  async putOutput(_: ThreadId, sha256: string, content: Uint8Array) {
    if (createHash("sha256").update(content).digest("hex") !== sha256) throw new Error("another output");
    this.outputs.set(sha256, content);
  }

  async output(_: ThreadId, sha256: string) {
    return this.outputs.get(sha256);
  }

  /** As somebody does who looks at the thread on the web. */
  putInTrash(id: ThreadId, trash: boolean): void {
    const kept = this.threads.get(id);
    if (kept !== undefined) Object.assign(kept, { trash, change: ++this.#change });
  }

  #end(id: ThreadId): ThreadVersion {
    const records = this.threads.get(id)?.records ?? [];
    return { version: records.length, digest: digestOf(records) };
  }
}

function digestOf(records: readonly string[]): string {
  return records.reduce(addToDigest, "");
}

function isDeleted(records: readonly string[]): boolean {
  const words = records.filter((text) => text.includes('"deleted":')).at(-1);
  return words?.includes('"deleted":true') ?? false;
}
