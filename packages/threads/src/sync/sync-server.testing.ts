// A Loom server, as the sync sees it, and as somebody sees it who looks into it.
import { cpSync, mkdtempSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createThreadsClient, type ThreadsClient } from "@loom/api/threads-client";
import type { ThreadId } from "@loom/core";
import { startServer, takeServerConfig } from "../../../../apps/server/src/index.ts";
import { sqlite, type TestHome } from "../../../../apps/server/src/kit/engines.testing.ts";
import { serverRemote } from "./server-remote.ts";
import type { ThreadRemote } from "./thread-sync.ts";

export class SyncServer {
  readonly #home: TestHome;
  readonly #close: () => Promise<void>;
  readonly client: ThreadsClient;
  readonly remote: ThreadRemote;
  readonly #ask: (method: string, path: string) => Promise<Response>;

  private constructor(home: TestHome, url: string, token: string, close: () => Promise<void>) {
    this.#home = home;
    this.client = createThreadsClient({ baseUrl: url, token: () => token });
    this.remote = serverRemote(this.client);
    this.#ask = (method, path) => fetch(url + path, { method, headers: { authorization: `Bearer ${token}` } });
    this.#close = close;
  }

  static async start(given?: TestHome): Promise<SyncServer> {
    const home = given ?? (await sqlite.create());
    const tokenFile = join(home.path, "owner-token");
    const server = await startServer({
      config: takeServerConfig({}),
      access: { type: "owner", tokenFile, replace: false },
      dataDirectory: home.path,
      postgres: home.postgres,
    });
    return new SyncServer(home, server.url, readFileSync(tokenFile, "utf8").trim(), () => server.close());
  }

  /** Ends it and starts it again with what it had at `copy`, which `snapshot` gave; or with what it has. */
  async restart(copy?: TestHome): Promise<SyncServer> {
    this.client.close();
    await this.#close();
    if (copy === undefined) return SyncServer.start(this.#home);
    await this.#home[Symbol.asyncDispose]();
    return SyncServer.start(copy);
  }

  /** A copy of its files, taken while it does nothing; on SQLite. */
  snapshot(): TestHome {
    const path = mkdtempSync(join(tmpdir(), "loom-sync-server-"));
    cpSync(this.#home.path, path, { recursive: true });
    const place = { file: join(path, "loom-server.sqlite") };
    const remove = () => rm(path, { recursive: true, force: true });
    return { path, place, postgres: undefined, env: {}, [Symbol.asyncDispose]: remove };
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

  /** Who may see it now. */
  async visibility(id: ThreadId): Promise<string> {
    return (await this.client.get(id)).visibility;
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
    await this.#home[Symbol.asyncDispose]();
  }
}
