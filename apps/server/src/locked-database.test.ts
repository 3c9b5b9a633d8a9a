import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { startHouse } from "./features/credentials/credentials.testing.ts";
import { DATABASE_FILE } from "./server.ts";
import { runTokenCommand } from "./token-command.ts";

const WISH = { name: "ci", scopes: ["llm:use"] };

test("while another process has locked the database, those who write are told so and may try again", async () => {
  await using house = await startHouse();
  const file = join(house.directory, DATABASE_FILE);
  const other = new DatabaseSync(file);
  other.exec("BEGIN EXCLUSIVE");
  const silent = { print: () => {}, say: () => {} };
  const [answer, command] = await Promise.all([
    house.call("POST", "/api/tokens", WISH),
    runTokenCommand(["create", "local", "--data", house.directory], {}, silent).catch((error: unknown) => error),
  ]);
  const sentence = "is locked by another process: stop that process, or try again.";
  expect(answer.status).toBe(503);
  expect(answer.headers.get("retry-after")).toBe("1");
  const problem = JSON.parse(answer.text);
  expect(problem).toMatchObject({ code: "unavailable", retryable: true });
  expect(problem.detail).toBe(`The database of the Loom server ${sentence}`);
  expect(command).toMatchObject({ name: "DatabaseUnavailable", message: `The database ${file} ${sentence}` });
  other.exec("ROLLBACK");
  other.close();
  expect((await house.call("POST", "/api/tokens", WISH)).status).toBe(201);
  const log = await readFile(join(house.directory, "server.log"), "utf8");
  expect(log).toContain(`The database ${file} ${sentence}`);
  expect(log).not.toMatch(/\\n +at /);
});
