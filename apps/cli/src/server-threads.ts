import { createHash } from "node:crypto";
import { join } from "node:path";
import { createThreadsClient, type ThreadsClient } from "@loom/api/threads-client";
import { readServerToken } from "@loom/config";
import { serverRemote } from "@loom/threads/server-remote";
import { ThreadSync } from "@loom/threads/sync";
import { CliError } from "./exit-codes.ts";
import type { Settings } from "./settings.ts";
import { threadsIn } from "./thread-access.ts";

/** The threads on the configured server, and what keeps those of this machine the same. */
export type ServerThreads = {
  /** Its address. */
  readonly server: string;
  readonly client: ThreadsClient;
  readonly sync: ThreadSync;
  close(): void;
};

/** @throws CliError `configuration` where no server is configured; ConfigError where there is no token for it. */
export function openServerThreads(settings: Settings): ServerThreads {
  const { config, directories } = settings;
  const serverUrl = serverOf(settings);
  const token = readServerToken({ serverUrl, tokenFile: config.get("server.token_file"), directories });
  return open(settings, () => token.expose());
}

/**
 * What this machine knows of the threads on the configured server: asks nobody, and needs no token.
 * @throws CliError `configuration` where no server is configured.
 */
export function openKnownThreads(settings: Settings): Pick<ServerThreads, "server" | "close"> & {
  readonly sync: Pick<ThreadSync, "status" | "takeNotices">;
} {
  return open(settings, () => {
    throw new Error("No request goes out from here.");
  });
}

function serverOf({ config }: Settings): string {
  const serverUrl = config.get("server.url");
  if (serverUrl !== "") return serverUrl;
  throw new CliError(
    "configuration",
    "No server is configured, so threads are on this machine only: set LOOM_SERVER_URL to the address of one.",
  );
}

function open(settings: Settings, token: () => string): ServerThreads {
  const { config, directories } = settings;
  const client = createThreadsClient({
    baseUrl: serverOf(settings),
    token,
    deadlines: { connectMs: config.get("timeouts.connect_seconds") * 1_000 },
  });
  const sync = new ThreadSync({
    directory: threadsIn(directories),
    // What is known of one server says nothing of another.
    stateDirectory: join(directories.state, "sync", nameOf(client.server)),
    remote: serverRemote(client),
    now: Date.now,
    random: Math.random,
  });
  return { server: client.server, client, sync, close: () => client.close() };
}

function nameOf(server: string): string {
  const { hostname } = new URL(server);
  return `${hostname.replaceAll(/[^a-z0-9.-]/g, "_").slice(0, 64)}-${createHash("sha256").update(server).digest("hex").slice(0, 12)}`;
}
