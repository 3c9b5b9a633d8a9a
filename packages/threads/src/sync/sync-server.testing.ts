// A Loom server on SQLite, as the sync sees it, and as somebody sees it who looks into it.
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createThreadsClient, type ThreadsClient } from "@loom/api/threads-client";
import type { ThreadId } from "@loom/core";
import { startServer, takeServerConfig } from "../../../../apps/server/src/index.ts";
import { serverRemote } from "./server-remote.ts";
import type { ThreadRemote } from "./thread-sync.ts";

export class SyncServer {
  readonly #home: string;
  readonly #close: () => Promise<void>;
  readonly client: ThreadsClient;
  readonly remote: ThreadRemote;
  readonly #ask: (method: string, path: string) => Promise<Response>;

  private constructor(home: string, url: string, token: string, close: () => Promise<void>) {
    this.#home = home;
    this.client = createThreadsClient({ baseUrl: url, token: () => token });
    this.remote = serverRemote(this.client);
    this.#ask = (method, path) => fetch(url + path, { method, headers: { authorization: `Bearer ${token}` } });
    this.#close = close;
  }

  static async start(home = mkdtempSync(join(tmpdir(), "loom-sync-server-"))): Promise<SyncServer> {
    const tokenFile = join(home, "owner-token");
    const server = await startServer({
      config: takeServerConfig({}),
      access: { type: "owner", tokenFile, replace: false },
      dataDirectory: home,
    });
    return new SyncServer(home, server.url, readFileSync(tokenFile, "utf8").trim(), () => server.close());
  }

  /** Ends it and starts it again with what it had at `copy`, which `snapshot` gave; or with what it has. */
  async restart(copy?: string): Promise<SyncServer> {
    this.client.close();
    await this.#close();
    if (copy === undefined) return SyncServer.start(this.#home);
    rmSync(this.#home, { recursive: true });
    return SyncServer.start(copy);
  }

  /** A copy of its files, taken while it does nothing. */
  snapshot(): string {
    const copy = mkdtempSync(join(tmpdir(), "loom-sync-server-"));
    cpSync(this.#home, copy, { recursive: true });
    return copy;
  }

  async ids(): Promise<ThreadId[]> {
    const { changes } = await this.client.changes(undefined);
    return changes.flatMap(({ id, purged }) => (purged ? [] : [id])).sort();
  }

  async records(id: ThreadId): Promise<readonly string[]> {
    return (await this.client.records(id, 0)).records;
  }

  /** All that it holds, as text. */
  async said(): Promise<string> {
    return (await Promise.all((await this.ids()).map((id) => this.records(id)))).flat().join("\n");
  }

  /** As somebody does on the web. */
  async putInTrash(id: ThreadId, trash: boolean): Promise<void> {
    const { ok, status } = trash
      ? await this.#ask("DELETE", `/api/threads/${id}`)
      : await this.#ask("POST", `/api/threads/${id}/restore`);
    if (!ok) throw new Error(`status ${status}`);
  }

  /** As new, but for tombstones. */
  async clear(): Promise<void> {
    for (const { id, version, purged } of (await this.client.changes(undefined)).changes) {
      if (!purged) await this.client.purge(id, version);
    }
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.#close();
    rmSync(this.#home, { recursive: true, force: true });
  }
}
