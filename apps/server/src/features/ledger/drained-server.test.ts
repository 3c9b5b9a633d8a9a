import { readdirSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { UsageReport } from "@loom/api";
import { describe, expect, onTestFinished, test } from "vitest";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import { environment, type ServerProcess, startServerProcess } from "../../process.testing.ts";

/** Small on the way and long to unpack: its row waits for its token counts. */
const PACKED = gzipSync(
  JSON.stringify({ model: "claude-opus-5", padding: "x".repeat(60 * 1024 * 1024), usage: { input_tokens: 1 } }),
  { level: 1 },
);

describe.each(engines)("on $name, a server that has to end before its answers have", (engine) => {
  test("leaves a row for each, and nothing for the next one to find", { timeout: 120_000 }, async () => {
    await using home = await engine.create();
    const passed = Promise.withResolvers<void>();
    const provider = createServer((incoming, outgoing) => {
      incoming.resume().once("end", () => {
        const headers = { "content-type": "application/json", "content-encoding": "gzip" };
        outgoing.writeHead(200, { ...headers, "content-length": PACKED.length });
        outgoing.end(PACKED, () => passed.resolve());
      });
    });
    const providerUrl = await listening(provider);
    const start = () => startWith(home, providerUrl, { drainSeconds: 0 });
    const call = ({ url, token }: ServerProcess, path: string, body?: object) => {
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
      return fetch(url + path, { headers, ...(body && { method: "POST", body: JSON.stringify(body) }) });
    };
    const first = await start();
    const question = { model: "claude-opus-5", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] };
    // It may be cut off at any time.
    const asked = call(first, "/anthropic/v1/messages", question)
      .then((answer) => answer.text())
      .catch(() => undefined);
    await passed.promise;
    first.process.signal("SIGTERM");
    expect((await first.process.exited).code).toBe(0);
    await asked;
    // Nothing is left open there that the next one would have to take for lost.
    expect(readdirSync(join(home.path, "open-requests"))).toEqual([]);
    const second = await start();
    const report = (await (await call(second, "/api/usage?groupBy=outcome")).json()) as UsageReport;
    expect(report.total).toMatchObject({ requests: 1, estimated: 1 });
    second.process.signal("SIGTERM");
    expect((await second.process.exited).code).toBe(0);
  });

  test("and whose last client leaves meanwhile, has a row for him", { timeout: 120_000 }, async () => {
    await using home = await engine.create();
    const reached = Promise.withResolvers<void>();
    const provider = createServer((incoming) => void incoming.resume().once("end", () => reached.resolve()));
    const providerUrl = await listening(provider);
    const start = () => startWith(home, providerUrl, { drainSeconds: 60 });
    const first = await start();
    const body = JSON.stringify({ model: "claude-opus-5", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] });
    const head = [
      "POST /anthropic/v1/messages HTTP/1.1",
      "Host: 127.0.0.1",
      `Authorization: Bearer ${first.token}`,
      "Content-Type: application/json",
      `Content-Length: ${body.length}`,
    ];
    const client = connect(Number(new URL(first.url).port), "127.0.0.1");
    client.write(`${head.join("\r\n")}\r\n\r\n${body}`);
    await reached.promise;
    first.process.signal("SIGTERM");
    // It is past the turns in which it lets in who has come.
    await expect.poll(() => refusesConnections(first.url)).toBe(true);
    client.destroy();
    expect((await first.process.exited).code).toBe(0);
    expect(readdirSync(join(home.path, "open-requests"))).toEqual([]);
    const second = await start();
    const headers = { authorization: `Bearer ${second.token}` };
    const report = (await (await fetch(`${second.url}/api/usage?groupBy=outcome`, { headers })).json()) as UsageReport;
    expect(report.groups).toMatchObject([{ key: ["cancelled"], requests: 1 }]);
    second.process.signal("SIGTERM");
    expect((await second.process.exited).code).toBe(0);
  });
});

function refusesConnections(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", () => resolve(true));
  });
}

/** Its address; it is closed when the test is over. */
async function listening(provider: Server): Promise<string> {
  await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    provider.closeAllConnections();
    provider.close();
  });
  return `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
}

function startWith(
  { path, env }: TestHome,
  providerUrl: string,
  { drainSeconds }: { readonly drainSeconds: number },
): Promise<ServerProcess> {
  return startServerProcess(path, {
    args: ["--drain-timeout", String(drainSeconds)],
    env: environment(path, {
      ...env,
      LOOM_SERVER_ANTHROPIC_API_KEY: "sk-ant-key-of-the-tests",
      LOOM_SERVER_ANTHROPIC_BASE_URL: providerUrl,
    }),
    timeoutMs: 110_000,
  });
}
