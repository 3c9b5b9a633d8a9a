import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Secret } from "@loom/config";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, type TestContext, test } from "vitest";
import { selfSignedCertificate } from "../certificate.testing.ts";
import { takePort } from "../process.testing.ts";
import { temporaryDirectory } from "../testing.ts";
import { connectDatabase } from "./database.ts";
import { parsePostgresUrl } from "./postgres-address.ts";
import { findPostgres, type PostgresCluster, startCluster } from "./postgres-cluster.testing.ts";

let home: Awaited<ReturnType<typeof temporaryDirectory>>;
let authority: string;
let cluster: PostgresCluster | undefined;
let port: number;

beforeAll(async () => {
  home = await temporaryDirectory();
  authority = join(home.path, "ca.pem");
  const programs = await findPostgres();
  if (programs === undefined) return;
  const { cert, key } = selfSignedCertificate();
  await writeFile(authority, cert);
  const taken = await takePort();
  port = taken.port;
  taken.release();
  const rules = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
  cluster = await startCluster(programs, {
    port,
    settings: ["ssl=on"],
    files: { "server.crt": cert, "server.key": key, "pg_hba.conf": rules },
  });
  const database = await connectDatabase({ postgres: parsePostgresUrl(new Secret(cluster.socketUrl), "the test") });
  await sql`alter user loom password 'sesame'`.execute(database.tables());
  await database.close();
});
afterAll(async () => {
  await cluster?.remove();
  await home[Symbol.asyncDispose]();
});

async function connecting({ skip }: Pick<TestContext, "skip">, password: string, parameters: string): Promise<string> {
  if (cluster === undefined) skip("PostgreSQL is not installed");
  const url = new Secret(`postgres://loom:${password}@127.0.0.1:${port}/postgres?${parameters}`);
  try {
    const database = await connectDatabase({ postgres: parsePostgresUrl(url, "the test") });
    const { rows } = await sql<{ ssl: number }>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`.execute(
      database.tables(),
    );
    await database.close();
    return rows[0]?.ssl === 1 ? "encrypted" : "plain";
  } catch (error) {
    return String(error);
  }
}

test("TLS checks what the URL says, and a wrong password is told without it", async (context) => {
  const root = `sslrootcert=${encodeURIComponent(authority)}`;
  expect(await connecting(context, "sesame", `sslmode=verify-full&${root}`)).toBe("encrypted");
  expect(await connecting(context, "sesame", `sslmode=verify-ca&${root}`)).toBe("encrypted");
  expect(await connecting(context, "sesame", "sslmode=require")).toBe("encrypted");
  const unknown = await connecting(context, "sesame", "sslmode=verify-full");
  expect(unknown).toMatch(/has a certificate that nobody vouches for: name its authority with sslrootcert\.$/);
  const wrong = await connecting(context, "open-up", "sslmode=require");
  expect(wrong).toMatch(/postgres:\/\/loom@127\.0\.0\.1:\d+\/postgres refuses the password: correct it in the URL\.$/);
  const plain = await connecting(context, "sesame", "sslmode=disable");
  expect(plain).toMatch(/refuses the user/);
  expect(`${unknown}${wrong}${plain}`).not.toMatch(/sesame|open-up/);
});
