import { statSync } from "node:fs";
import { join } from "node:path";
import type { ThreadId } from "@loom/core";
import { YOUNG_MS } from "../garbage.ts";
import { OutputStore } from "../output-store.ts";
import { threadFile } from "../thread-store.ts";
import { Budget } from "./budget.ts";
import type { Incoming } from "./incoming.ts";
import { addLacking, fetchLate, type OutputEnds, outputsIn, renewOutputs, sendOutputs } from "./output-transfer.ts";
import type { ReconcilerOptions } from "./reconciler.ts";
import { hasMore, type ThreadSyncState, withLacking } from "./sync-journal.ts";
import type { RemoteCall } from "./thread-remote.ts";

const MAX_OUTPUTS_UNDERWAY = 4;

/** The long outputs of threads beside their records: those that come late, that the server has lost, that were cleaned up. */
export class ThreadOutputs {
  readonly #options: ReconcilerOptions;
  readonly ends: OutputEnds;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    const { remote, directory, notify } = options;
    this.ends = {
      remote,
      outputs: new OutputStore(join(directory, "outputs")),
      places: new Budget(MAX_OUTPUTS_UNDERWAY),
      onTooLong(id, sha256, bytes) {
        // Up, so that what is just over the bound does not read as if it were within it.
        const size = (Math.ceil((bytes / 1024 / 1024) * 10) / 10).toFixed(1);
        const most = (remote.maxOutputBytes / 1024 / 1024).toFixed(1);
        notify(
          `${sha256}-too-long`,
          `An output of thread ${id} is ${size} MB long, and ${remote.name} takes ${most} MB: it stays on this machine alone.`,
        );
      },
    };
  }

  /** Gets the outputs that the thread lacks, as far as they are on the server by now. @throws as `reconcile`. */
  async getLate(id: ThreadId, call: RemoteCall): Promise<void> {
    const { journal } = this.#options;
    const { lacking, ...state } = journal.thread(id);
    if (lacking === undefined) return;
    const left = new Set<string>();
    const isLacking = (sha256: string) => !this.ends.outputs.has(sha256);
    const all = hasMore(lacking) ? outputsIn(this.#fileOf(id), isLacking) : [lacking.outputs];
    for await (const some of all) {
      for (const sha256 of await fetchLate(this.ends, id, [...some], call)) addLacking(left, sha256);
    }
    journal.putThread(withLacking(state, [...left], false));
  }

  /**
   * Sends the outputs of a settled thread that the server has lost, or never had: records go up once, and what goes with
   * them is not looked for again otherwise. One that is too long was told of when its record went up. @throws as `reconcile`.
   */
  async sendLost(id: ThreadId, call: RemoteCall): Promise<void> {
    const { outputs } = this.ends;
    const ends = { ...this.ends, onTooLong: () => undefined };
    const isHere = (sha256: string) => outputs.has(sha256);
    if (!this.#isSettledThere(id)) return;
    const { position } = this.#options.journal.thread(id).synced;
    for await (const some of outputsIn(this.#fileOf(id), isHere, position)) {
      // Made private meanwhile, nothing of it is sent.
      if (!this.#isSettledThere(id)) return;
      await sendOutputs(ends, id, some, call);
    }
  }

  /** The server has the thread, and the file is as it was when that was found out. */
  #isSettledThere(id: ThreadId): boolean {
    const { fate, seen, synced, remote } = this.#options.journal.thread(id);
    if (fate !== undefined || remote !== undefined || synced.version === 0) return false;
    const stat = statSync(this.#fileOf(id), { throwIfNoEntry: false });
    return seen !== undefined && seen.size === stat?.size && seen.mtimeMs === stat.mtimeMs;
  }

  /**
   * To be asked just before the incoming records get into a thread: a clean-up may have taken what goes with them for
   * unused if they were long on their way. What it has removed is on the server, and is fetched in this round.
   */
  lacksOf({ file, since, lacking }: Incoming): (state: ThreadSyncState) => ThreadSyncState {
    const isLongAgo = Math.abs(this.#options.now() - since) >= YOUNG_MS / 2;
    const gone = isLongAgo ? renewOutputs(this.ends.outputs, file, lacking) : [];
    return (state) => withLacking(withLacking(state, lacking, false), gone, true);
  }

  #fileOf(id: ThreadId): string {
    return threadFile(this.#options.directory, id);
  }
}
