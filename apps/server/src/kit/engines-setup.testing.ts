// Vitest's global setup: one PostgreSQL for all tests of a run, started when the first test asks for it.
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { findPostgres, type PostgresCluster, startCluster } from "./postgres-cluster.testing.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The socket at which the address of the database can be asked for; empty where PostgreSQL is not installed. */
    postgresDesk: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const programs = await findPostgres();
  if (programs === undefined) {
    console.warn("PostgreSQL is not installed: tests run on SQLite only (Debian: apt-get install postgresql).");
    project.provide("postgresDesk", "");
    return async () => {};
  }
  const directory = await mkdtemp(join(tmpdir(), "loom-"));
  const path = join(directory, "desk");
  let starting: Promise<PostgresCluster> | undefined;
  const desk = createServer((socket) => {
    starting ??= startCluster(programs);
    starting.then(
      (cluster) => socket.end(cluster.url("postgres")),
      (error: unknown) => socket.end(String(error)),
    );
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => desk.listen(path, resolve));
  project.provide("postgresDesk", path);
  return async () => {
    desk.close();
    await (await starting?.catch(() => undefined))?.remove();
    await rm(directory, { recursive: true, force: true });
  };
}
