import { createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { routingOf, to } from "../routing/routing.testing.ts";
import { ask, startGateway, UPSTREAM_KEY } from "./gateway.testing.ts";
import { startUpstream } from "./upstream.testing.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

const SSE = { "content-type": "text/event-stream" };
const FIRST = 'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":1}}}\n\n';

type Silence = "connect" | "headers" | "firstEvent" | "gap" | "complete";

/** A provider that stops at one point. For `connect`, one that takes the connection and never says hello in TLS. */
async function providerThatStopsAt(silence: Silence): Promise<string> {
  if (silence === "connect") return `https://127.0.0.1:${await listenMutely()}`;
  const upstream = await startUpstream((response) => {
    if (silence === "firstEvent") response.writeHead(200, SSE).flushHeaders();
    if (silence === "gap") response.writeHead(200, SSE).write(FIRST);
  });
  closing.push(upstream);
  return upstream.url;
}

function listenMutely(): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    sockets.add(socket);
  });
  closing.push({
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}

const CASES: readonly (readonly [Silence, string, RegExp])[] = [
  ["connect", "LOOM_SERVER_CONNECT_TIMEOUT", /did not accept a connection within 0\.3 s \(connect time-out\)/],
  ["headers", "LOOM_SERVER_HEADERS_TIMEOUT", /did not answer within 0\.3 s \(headers time-out\)/],
  ["firstEvent", "LOOM_SERVER_FIRST_EVENT_TIMEOUT", /did not begin its answer within 0\.3 s \(first event time-out\)/],
  ["gap", "LOOM_SERVER_GAP_TIMEOUT", /stopped in the middle of its answer for 0\.3 s \(gap time-out\)/],
  ["complete", "LOOM_SERVER_COMPLETE_TIMEOUT", /did not answer within 0\.3 s \(complete time-out\)/],
];

describe.each([
  ["pooled", true],
  ["light", false],
])("on the %s transport", (_name, pooled) => {
  test.each(CASES)(
    "the time-out %s is named in the client's dialect, whether the server or a route sets it",
    async (silence, variable, message) => {
      const env = {
        LOOM_SERVER_ANTHROPIC_API_KEY: UPSTREAM_KEY,
        LOOM_SERVER_ANTHROPIC_BASE_URL: await providerThatStopsAt(silence),
      };
      const definition = { ...to("anthropic/claude-x"), timeouts: { [silence]: 0.3 } };
      const routing = await routingOf(env, [{ name: "slow", definition }]);
      const byServer = await startGateway({ pooled, env: { ...env, [variable]: "0.3" } });
      const byRoute = await startGateway({ pooled, env, routing });
      closing.push(byServer, byRoute);
      for (const [gateway, model] of [
        [byServer, "claude-x"],
        [byRoute, "slow"],
      ] as const) {
        const answer = await ask(`${gateway.url}/anthropic/v1/messages`, {
          body: { model, stream: silence !== "complete", max_tokens: 9, messages: [] },
          headers: { "x-api-key": gateway.token },
        });
        const body = answer.text.startsWith("{") ? answer.text : (answer.text.split("data: ").at(-1) ?? "");
        const { error } = JSON.parse(body) as { error: { type: string; message: string } };
        expect(error.type).toBe("timeout_error");
        expect(error.message).toMatch(message);
        expect(gateway.entries).toMatchObject([{ errorCode: "timeout" }]);
      }
    },
  );
});
