import { writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { takeDatabaseAddress } from "./database-config.ts";
import { temporaryDirectory } from "./testing.ts";

test("without a variable there is no PostgreSQL", () => {
  expect(takeDatabaseAddress({ DATABASE_URL: "", PATH: "/bin" })).toBeUndefined();
});

test("the server's own variable wins, and both are taken out of the environment", () => {
  const env = { DATABASE_URL: "postgres://u@shared/d", LOOM_SERVER_DATABASE_URL: "postgres://u@own/d" };
  expect(takeDatabaseAddress(env)?.host).toBe("own");
  expect(env).toEqual({});
});

test("the URL may be in a file, which wins over the variable", async () => {
  await using home = await temporaryDirectory();
  const file = `${home.path}/url`;
  await writeFile(file, "postgres://u:secret@in-file/d\n", { mode: 0o600 });
  const env = { DATABASE_URL_FILE: file, DATABASE_URL: "postgres://u@shared/d" };
  const address = takeDatabaseAddress(env);
  expect(address).toMatchObject({ host: "in-file", poolSize: 10, statementTimeoutMs: 30_000 });
  expect(address?.password?.expose()).toBe("secret");
});

test("bounds are read, and wrong ones refused", () => {
  const url = { DATABASE_URL: "postgres://u@h/d" };
  const bounds = { LOOM_SERVER_DATABASE_POOL: "3", LOOM_SERVER_DATABASE_STATEMENT_TIMEOUT: "7" };
  expect(takeDatabaseAddress({ ...url, ...bounds })).toMatchObject({ poolSize: 3, statementTimeoutMs: 7_000 });
  for (const wrong of ["0", "-1", "x", "501", "1.5"]) {
    expect(() => takeDatabaseAddress({ ...url, LOOM_SERVER_DATABASE_POOL: wrong })).toThrow(
      "LOOM_SERVER_DATABASE_POOL has to be a whole number from 1 to 500.",
    );
  }
});
