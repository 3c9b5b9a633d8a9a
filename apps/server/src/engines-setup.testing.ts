// Vitest's global setup: one PostgreSQL for all tests of a run, started when the first test asks for it.
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Secret } from "@loom/config";
import type { TestProject } from "vitest/node";
import { MIGRATIONS } from "./features/migrations.ts";
import { openDatabase } from "./kit/database.ts";
import { parsePostgresUrl } from "./kit/postgres-address.ts";
import {
  administer,
  findPostgres,
  type PostgresCluster,
  startCluster,
  TABLES_TEMPLATE,
} from "./kit/postgres-cluster.testing.ts";

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
  let ready: Promise<string> | undefined;
  const desk = createServer((socket) => {
    starting ??= startCluster(programs);
    ready ??= starting.then(withTemplate);
    ready.then(
      (url) => socket.end(url),
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

/** Making all tables takes a server longer than anything else that its test does: they are made once, then copied. */
async function withTemplate(cluster: PostgresCluster): Promise<string> {
  const admin = cluster.url("postgres");
  await administer(admin, `create database ${TABLES_TEMPLATE}`);
  const postgres = parsePostgresUrl(new Secret(cluster.url(TABLES_TEMPLATE)), "the template");
  const template = await openDatabase({ postgres, migrations: MIGRATIONS });
  await template.close();
  return admin;
}
