// A PostgreSQL of the tests' own: the system's programs, in a temporary directory, reached by a Unix socket.
import { execFile, spawn } from "node:child_process";
import { chown, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Secret } from "@loom/config";
import { Client } from "pg";
import { parsePostgresUrl } from "./postgres-address.ts";

export type PostgresCluster = {
  /** `postgres://…`, whose user may do everything. */
  url(database: string): string;
  /** By its socket, also where it listens elsewhere. */
  readonly socketUrl: string;
  /** As an administrator would restart it: at once, whoever is connected. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops it and deletes its files. */
  remove(): Promise<void>;
};

export type ClusterOptions = {
  /** Lines of `postgresql.conf`. */
  readonly settings?: readonly string[];
  /** Port on the loopback interface; default: none, only the socket. */
  readonly port?: number;
  /** Put into its data directory, by name. */
  readonly files?: Readonly<Record<string, string>>;
};

/** The database with a server's tables and nothing in them, which those of the tests are copied from. */
export const TABLES_TEMPLATE = "loom_tables";

const run = promisify(execFile);

/** Speed before safety: the files do not outlive the tests. What is committed outlives the end of the server, though. */
const SETTINGS = [
  "fsync=off",
  "full_page_writes=off",
  "max_connections=300",
  "shared_buffers=64MB",
  "max_wal_size=256MB",
  "autovacuum=off",
  "logging_collector=off",
];

/** The directory of `initdb` and `postgres`, newest version first; nothing where PostgreSQL is not installed. */
export async function findPostgres(): Promise<string | undefined> {
  const root = "/usr/lib/postgresql";
  const versions = await readdir(root).catch((): string[] => []);
  const newest = versions.filter((name) => Number(name) >= 15).sort((a, b) => Number(b) - Number(a));
  for (const version of newest) {
    const programs = await readdir(join(root, version, "bin")).catch((): string[] => []);
    if (programs.includes("initdb") && programs.includes("postgres")) return join(root, version, "bin");
  }
  return undefined;
}

export async function startCluster(programs: string, options: ClusterOptions = {}): Promise<PostgresCluster> {
  const identity = await unprivileged();
  // Short: the path of a socket has 107 bytes at most.
  const directory = await mkdtemp(join(tmpdir(), "pg-"));
  if (identity.uid !== undefined) await chown(directory, identity.uid, identity.gid ?? identity.uid);
  const data = join(directory, "data");
  const quiet = {
    ...identity,
    cwd: directory,
    env: { PATH: process.env.PATH ?? "", LC_ALL: "C.UTF-8", HOME: directory },
  };
  const initdb = [
    "-D",
    data,
    "-U",
    "loom",
    "-A",
    "trust",
    "-E",
    "UTF8",
    "--locale=C.UTF-8",
    "--no-sync",
    "--no-instructions",
  ];
  await run(join(programs, "initdb"), initdb, quiet);
  for (const [name, content] of Object.entries(options.files ?? {})) {
    const path = join(data, name);
    await writeFile(path, content, { mode: 0o600 });
    if (identity.uid !== undefined) await chown(path, identity.uid, identity.gid ?? identity.uid);
  }
  const port = options.port ?? 5432;
  const settings = [
    ...SETTINGS,
    `unix_socket_directories=${directory}`,
    `listen_addresses=${options.port === undefined ? "" : "127.0.0.1"}`,
    `port=${port}`,
    ...(options.settings ?? []),
  ].flatMap((setting) => ["-c", setting]);
  let server: ReturnType<typeof spawn> | undefined;

  async function start(): Promise<void> {
    const running = spawn(join(programs, "postgres"), ["-D", data, ...settings], {
      ...quiet,
      stdio: ["ignore", "ignore", "pipe"],
    });
    server = running;
    let said = "";
    await new Promise<void>((resolve, reject) => {
      running.stderr.setEncoding("utf8").on("data", (text: string) => {
        said = (said + text).slice(-4_000);
        if (said.includes("database system is ready to accept connections")) resolve();
      });
      running.once("exit", () => reject(new Error(`PostgreSQL did not start: ${said}`)));
    });
  }

  async function stop(): Promise<void> {
    const running = server;
    server = undefined;
    if (running === undefined || running.exitCode !== null) return;
    const ended = new Promise((resolve) => running.once("exit", resolve));
    // Immediate: nobody needs what is in there.
    running.kill("SIGQUIT");
    await ended;
  }

  await start();
  const bySocket = (database: string): string =>
    `postgres://loom@/${database}?host=${encodeURIComponent(directory)}&port=${port}`;
  return {
    url: (database) =>
      options.port === undefined ? bySocket(database) : `postgres://loom@127.0.0.1:${port}/${database}`,
    socketUrl: bySocket("postgres"),
    start,
    stop,
    async remove() {
      await stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL refuses to run as root. */
async function unprivileged(): Promise<{ readonly uid?: number; readonly gid?: number }> {
  if (process.getuid?.() !== 0) return {};
  const accounts = (await readFile("/etc/passwd", "utf8")).split("\n").map((line) => line.split(":"));
  const account = accounts.find(([name]) => name === "postgres") ?? accounts.find(([name]) => name === "nobody");
  return { uid: Number(account?.[2] ?? 65_534), gid: Number(account?.[3] ?? 65_534) };
}

/** One statement for the cluster itself, such as `create database`. */
export async function administer(url: string, sql: string): Promise<void> {
  const { host, user, database } = parsePostgresUrl(new Secret(url), "the tests");
  const client = new Client({ host, user, database });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
