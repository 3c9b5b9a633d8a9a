import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ThreadId } from "@loom/core";
import { purgeThread } from "../garbage.ts";
import { TurnWriter } from "../long-thread.testing.ts";
import { createThreadStore, type ThreadStore, threadFile, threadIds } from "../thread-store.ts";
import { type SyncOutcome, type SyncRequest, type ThreadRemote, ThreadSync } from "./thread-sync.ts";

/** One machine of a person: its threads, and what it remembers of the server. */
export class Device {
  readonly home: string;
  readonly directory: string;
  readonly stateDirectory: string;
  readonly store: ThreadStore;
  readonly #now: () => number;

  constructor(now: () => number = Date.now, home = mkdtempSync(join(tmpdir(), "loom-device-"))) {
    this.#now = now;
    this.home = home;
    this.directory = join(home, "threads");
    this.stateDirectory = join(home, "sync");
    this.store = createThreadStore({ directory: this.directory, now });
  }

  async begin(words: string, { output = "short", private: isPrivate = false } = {}): Promise<ThreadId> {
    const writer = this.store.create({ workspace: "/work", loomVersion: "1.2.3", private: isPrivate });
    new TurnWriter(writer).turn(words, output);
    await writer.close();
    return writer.id;
  }

  async say(id: ThreadId, words: string, output = "short"): Promise<void> {
    const { thread, writer } = this.store.open(id);
    new TurnWriter(writer, thread).turn(words, output);
    await writer.close();
  }

  purge(id: ThreadId): void {
    purgeThread(this.directory, this.store.load(id).facts, this.#now());
  }

  syncWith(remote: ThreadRemote): ThreadSync {
    const { directory, stateDirectory } = this;
    return new ThreadSync({ directory, stateDirectory, remote, now: this.#now, random: () => 0.5 });
  }

  sync(remote: ThreadRemote, request: Partial<SyncRequest> = {}): Promise<SyncOutcome> {
    return this.syncWith(remote).run({ signal: new AbortController().signal, hurry: true, ...request });
  }

  forget(): void {
    rmSync(this.stateDirectory, { recursive: true, force: true });
  }

  /** Its threads by id, each with a fingerprint of all that its file holds. */
  threads(): ReadonlyMap<ThreadId, string> {
    return new Map(
      threadIds(this.directory)
        .sort()
        .map((id) => [
          id,
          createHash("sha256")
            .update(readFileSync(threadFile(this.directory, id)))
            .digest("hex"),
        ]),
    );
  }

  textOf(id: ThreadId): string {
    return JSON.stringify(this.store.load(id).messages);
  }

  /** All that was said on it, in any of its threads. */
  text(): string {
    return threadIds(this.directory)
      .map((id) => this.textOf(id))
      .join("\n");
  }

  remove(): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}
