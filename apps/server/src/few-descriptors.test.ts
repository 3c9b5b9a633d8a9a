import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { runProcess } from "@loom/testkit";
import { expect, onTestFinished, test } from "vitest";
import { ANSWER } from "./features/credentials/credentials.testing.ts";
import { sqlite } from "./kit/engines.testing.ts";
import { environment, startServerProcess } from "./process.testing.ts";

const BODY = JSON.stringify({ model: "claude-x", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] });

test("a server that is out of descriptors says so, and blames no provider for it", { timeout: 120_000 }, async ({
  skip,
}) => {
  const hasTool = await runProcess("prlimit", ["--version"]).catch(() => undefined);
  if (process.platform !== "linux" || hasTool?.code !== 0) skip("there is no prlimit here");
  const provider = createServer((incoming, outgoing) => {
    const headers = { "content-type": "application/json", connection: "close" };
    incoming.resume().once("end", () => outgoing.writeHead(200, headers).end(ANSWER));
  });
  await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void provider.close());
  const { port } = provider.address() as AddressInfo;
  await using home = await sqlite.create();
  const server = await startServerProcess(home.path, {
    env: environment(home.path, {
      ANTHROPIC_API_KEY: "sk-x",
      LOOM_SERVER_ANTHROPIC_BASE_URL: `http://127.0.0.1:${port}`,
    }),
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const ask = () => {
    const headers = { "x-api-key": server.token, "content-type": "application/json" };
    return new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      request(`${server.url}/proxy/anthropic/v1/messages`, { method: "POST", headers, agent }, async (answer) => {
        let text = "";
        for await (const chunk of answer.setEncoding("utf8")) text += chunk;
        resolve({ status: answer.statusCode, text });
      })
        .once("error", reject)
        .end(BODY);
    });
  };
  const pid = String(server.process.pid);
  const limit = (most: number | string) => runProcess("prlimit", [`--nofile=${most}:`, "--pid", pid]);
  expect((await ask()).status).toBe(200);
  // The first three are always taken: whatever else the server closes meanwhile makes no room.
  await limit(3);
  for (let n = 0; n < 20; n += 1) {
    const { status, text } = await ask();
    expect([status, JSON.parse(text).error.message]).toEqual([
      503,
      "The Loom server cannot open another connection (EMFILE): try again in a moment, or raise its limits.",
    ]);
  }
  await limit(1_000);
  expect((await ask()).status).toBe(200);
  server.process.signal("SIGTERM");
  expect((await server.process.exited).code).toBe(0);
});
