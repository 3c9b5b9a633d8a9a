import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { MintedToken } from "@loom/api";
import { expect, onTestFinished, test } from "vitest";
import { damage } from "./damage.testing.ts";
import { ANSWER, startHouse } from "./features/credentials/credentials.testing.ts";
import { sqlite } from "./kit/engines.testing.ts";
import { environment, runServer, startServerProcess } from "./process.testing.ts";
import { DATABASE_FILE } from "./server.ts";

const SENTENCE = "is damaged: restore it from a backup.";

test("a database of which one table is damaged is said to be, to those who read and to those who watch", async () => {
  const provider = createServer((incoming, outgoing) => {
    incoming.resume().once("end", () => outgoing.writeHead(200, { "content-type": "application/json" }).end(ANSWER));
  });
  await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void provider.close());
  const url = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  await using house = await startHouse({ ANTHROPIC_API_KEY: "sk-x", LOOM_SERVER_ANTHROPIC_BASE_URL: url });
  const limits = { totalMicroUsd: 900_000_000 };
  const made = await house.call("POST", "/api/tokens", { name: "ci", limits });
  const { token } = JSON.parse(made.text) as MintedToken;
  await house.restart(undefined, () => damage(join(house.directory, DATABASE_FILE), ["usage", "budget_hold"]));
  const ask = (key: string) =>
    fetch(`${house.server.url}/proxy/anthropic/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": key, "content-type": "application/json" },
      body: JSON.stringify({ model: "claude-opus-5", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] }),
    });
  const usage = await house.call("GET", "/api/usage");
  expect(usage.status).toBe(503);
  expect(JSON.parse(usage.text).detail).toBe(`The database of the Loom server ${SENTENCE}`);
  const budgeted = await ask(token);
  expect(budgeted.status).toBe(503);
  expect(await budgeted.text()).toContain(`${SENTENCE} Until then nobody can tell what is left of a budget.`);
  expect((await ask(house.token)).status).toBe(200);
  const ready = async () => JSON.parse((await house.call("GET", "/readyz")).text);
  while ((await ready()).checks.ledger !== "failed") await new Promise((resolve) => setTimeout(resolve, 20));
  expect((await house.call("GET", "/readyz")).status).toBe(503);
  const log = readFileSync(join(house.directory, "server.log"), "utf8");
  expect(log).toContain(`The database ${join(house.directory, DATABASE_FILE)} ${SENTENCE}`);
  expect(log).not.toMatch(/\\n +at /);
});

test("a database that is damaged all over is a sentence for whoever starts the server", async () => {
  await using home = await sqlite.create();
  const first = await startServerProcess(home.path, { env: environment(home.path) });
  first.process.signal("SIGTERM");
  await first.process.exited;
  const file = join(home.path, DATABASE_FILE);
  damage(file, "all");
  const { code, stderr } = await runServer(["--listen", "127.0.0.1:0", "--data", home.path], environment(home.path));
  expect(code).toBe(1);
  expect(stderr).toContain(`loom-server: The database ${file} ${SENTENCE}`);
  expect(stderr).not.toMatch(/^ +at /m);
});
