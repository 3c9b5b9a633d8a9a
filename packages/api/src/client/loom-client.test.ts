import type { RequestListener } from "node:http";
import { createServer } from "node:net";
import type { LlmResponse } from "@loom/core";
import { NO_USAGE } from "@loom/core";
import { loomEvents } from "@loom/llm";
import { describe, expect, test } from "vitest";
import { problemOf } from "../problem.ts";
import { collect, REQUEST, serve } from "../testing.ts";
import { LoomApiError } from "./loom-api-error.ts";
import { createLoomClient, type LoomClientDeadlines } from "./loom-client.ts";

const RESPONSE: LlmResponse = {
  message: { role: "assistant", content: [{ type: "text", text: "Hi." }] },
  stopReason: "end_turn",
  usage: NO_USAGE,
  model: "m",
};

const EVENT_STREAM = { "content-type": "text/event-stream" };

/** A client and the server it talks to; every wait short, for the tests that wait for one. */
async function against(listener: RequestListener, deadlines: Partial<LoomClientDeadlines> = {}) {
  const server = await serve(listener);
  const client = createLoomClient({ baseUrl: server.url, token: () => "lt_token", deadlines });
  return {
    client,
    url: server.url,
    async [Symbol.asyncDispose]() {
      client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Reads the request, then answers. */
function answering(status: number, headers: Record<string, string>, body: string): RequestListener {
  return (incoming, outgoing) => {
    incoming.resume().once("end", () => outgoing.writeHead(status, headers).end(body));
  };
}

describe("a client", () => {
  test("sends the token and the request, and gives the events", async () => {
    const seen: unknown[] = [];
    await using test = await against((incoming, outgoing) => {
      let body = "";
      incoming.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      incoming.once("end", () => {
        seen.push(incoming.method, incoming.url, incoming.headers.authorization, JSON.parse(body));
        outgoing.writeHead(200, EVENT_STREAM);
        outgoing.write(loomEvents.encode([{ type: "text_delta", text: "Hi." }]));
        outgoing.end(loomEvents.encode([{ type: "completed", response: RESPONSE }]));
      });
    });
    const events = await collect(test.client.stream("anthropic", REQUEST));
    expect(events).toEqual([
      { type: "text_delta", text: "Hi." },
      { type: "completed", response: RESPONSE },
    ]);
    expect(seen).toEqual(["POST", "/proxy/anthropic/stream", "Bearer lt_token", REQUEST]);
  });

  test("keeps a path in the server's address, and quotes the provider's name", async () => {
    const paths: unknown[] = [];
    await using server = await serve((incoming, outgoing) => {
      paths.push(incoming.url);
      incoming.resume().once("end", () => outgoing.writeHead(200).end(JSON.stringify(RESPONSE)));
    });
    const client = createLoomClient({ baseUrl: `${server.url}/team/loom/`, token: async () => "t" });
    await client.complete("a/b?c", REQUEST);
    client.close();
    expect(paths).toEqual(["/team/loom/proxy/a%2Fb%3Fc/complete"]);
  });

  test("goes on after an idle connection was closed by the server", async () => {
    let requests = 0;
    await using test = await against((incoming, outgoing) => {
      requests += 1;
      incoming.resume().once("end", () => {
        outgoing.writeHead(200, { "content-type": "application/json", connection: "keep-alive" });
        outgoing.end(JSON.stringify(RESPONSE));
        // As a server does whose patience with an idle connection ends in this very moment.
        if (requests === 1) outgoing.once("close", () => incoming.socket.destroySoon());
      });
    });
    await test.client.complete("anthropic", REQUEST);
    expect(await test.client.complete("anthropic", REQUEST)).toEqual(RESPONSE);
  });
});

describe("a problem document", () => {
  const problem = problemOf("rate_limited", { detail: "Slow down.", retryable: true, retryAfterMs: 1_500 });
  const body = JSON.stringify({ ...problem, instance: "req-1" });
  const refuse = answering(429, { "content-type": "application/problem+json; charset=utf-8" }, body);

  test("becomes an error with everything in it", async () => {
    await using test = await against(refuse);
    const error = await test.client.complete("anthropic", REQUEST).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LoomApiError);
    expect(error).toMatchObject({
      message: "Slow down.",
      code: "rate_limited",
      retryable: true,
      retryAfterMs: 1_500,
      status: 429,
      requestId: "req-1",
    });
  });

  test("is the one event of a stream", async () => {
    await using test = await against(refuse);
    expect(await collect(test.client.stream("anthropic", REQUEST))).toEqual([
      {
        type: "error",
        error: { code: "rate_limited", message: "Slow down.", retryable: true, retryAfterMs: 1_500, status: 429 },
      },
    ]);
  });

  test("about the token says which server does not know it", async () => {
    const unknown = JSON.stringify(problemOf("unauthenticated", { detail: "No." }));
    await using test = await against(answering(401, { "content-type": "application/problem+json" }, unknown));
    await expect(test.client.models()).rejects.toThrow(
      `The Loom server at ${test.url} does not know the token it was sent: check that the token belongs to this server.`,
    );
  });
});

describe("something that is no Loom server", () => {
  test.each<[string, RequestListener]>([
    ["a web page", answering(200, { "content-type": "text/html" }, "<html>Welcome</html>")],
    ["a web page as an error", answering(404, { "content-type": "text/html" }, "<html>Not here</html>")],
    ["a redirect", answering(302, { location: "http://127.0.0.1:1/" }, "")],
    ["a problem of somebody else", answering(500, { "content-type": "application/problem+json" }, '{"title":"Oops"}')],
    ["other JSON", answering(200, { "content-type": "application/json" }, '{"hello":"world"}')],
    ["null", answering(200, { "content-type": "application/json" }, "null")],
    ["an empty answer", answering(200, {}, "")],
  ])("with %s is recognised, and the address is named", async (_, listener) => {
    await using test = await against(listener);
    const expected = { code: "invalid_response", retryable: false, message: expect.stringContaining(test.url) };
    await expect(test.client.complete("anthropic", REQUEST)).rejects.toMatchObject(expected);
    await expect(test.client.models()).rejects.toMatchObject(expected);
    expect(await collect(test.client.stream("anthropic", REQUEST))).toMatchObject([{ type: "error", error: expected }]);
  });

  test("that speaks no HTTP is recognised", async () => {
    const server = createServer((socket) => socket.on("error", () => {}).end("SSH-2.0-OpenSSH_9.2\r\n"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    const client = createLoomClient({ baseUrl: `http://127.0.0.1:${port}`, token: () => "t" });
    await expect(client.models()).rejects.toThrow(`The Loom server at http://127.0.0.1:${port} does not speak HTTP`);
    server.close();
  });

  test("that sends without end is cut off", async () => {
    await using test = await against((incoming, outgoing) => {
      incoming.resume();
      outgoing.writeHead(200, { "content-type": "application/json" });
      const chunk = " ".repeat(1024 * 1024);
      const send = (): void => {
        while (!outgoing.destroyed && outgoing.write(chunk));
      };
      outgoing.on("drain", send);
      send();
    });
    await expect(test.client.models()).rejects.toThrow(/larger than 33554432 bytes/);
  });
});

describe("a server that is not there", () => {
  test("is named with what to do", async () => {
    const { url } = await addressOfNobody();
    const client = createLoomClient({ baseUrl: url, token: () => "t" });
    await expect(client.models()).rejects.toMatchObject({
      code: "network",
      retryable: true,
      message: `The Loom server at ${url} refused the connection: check that it is running and reachable, then try again.`,
    });
  });

  test("because its name means nothing is named too", async () => {
    const client = createLoomClient({ baseUrl: "http://loom.invalid", token: () => "t" });
    const events = await collect(client.stream("anthropic", REQUEST));
    expect(events).toMatchObject([{ type: "error", error: { code: "network" } }]);
    expect(events[0]).toHaveProperty("error.message", expect.stringContaining("http://loom.invalid"));
  });
});

describe("a server that goes silent ends the wait", () => {
  test("before the header section", async () => {
    await using test = await against((incoming) => void incoming.resume(), { headersMs: 100, completeMs: 100 });
    const expected = {
      code: "timeout",
      retryable: true,
      message: expect.stringContaining("did not answer within 0.1 s"),
    };
    expect(await collect(test.client.stream("anthropic", REQUEST))).toMatchObject([{ type: "error", error: expected }]);
    await expect(test.client.complete("anthropic", REQUEST)).rejects.toMatchObject(expected);
  });

  const started: RequestListener = (incoming, outgoing) => {
    incoming.resume();
    outgoing.writeHead(200, EVENT_STREAM);
    outgoing.write(loomEvents.encode([{ type: "text_delta", text: "Well" }]));
  };

  test("in the middle of a stream", async () => {
    await using test = await against(started, { silenceMs: 100 });
    const events = await collect(test.client.stream("anthropic", REQUEST));
    expect(events.at(-1)).toMatchObject({ type: "error", error: { code: "timeout", retryable: true } });
  });

  test("when all that comes is keep-alives", async () => {
    await using test = await against(
      (incoming, outgoing) => {
        started(incoming, outgoing);
        const timer = setInterval(() => outgoing.write(loomEvents.keepAlive), 10);
        outgoing.once("close", () => clearInterval(timer));
      },
      { gapMs: 150 },
    );
    const events = await collect(test.client.stream("anthropic", REQUEST));
    expect(events.at(-1)).toMatchObject({ type: "error", error: { code: "timeout" } });
  });

  test("in the middle of a body", async () => {
    await using test = await against(
      (incoming, outgoing) => {
        incoming.resume();
        outgoing.writeHead(200, { "content-type": "application/json" }).write("{");
      },
      { gapMs: 100 },
    );
    await expect(test.client.models()).rejects.toMatchObject({ code: "timeout" });
  });
});

describe("a connection that breaks", () => {
  test("in the middle of a stream is one error event", async () => {
    await using test = await against((incoming, outgoing) => {
      incoming.resume();
      outgoing.writeHead(200, EVENT_STREAM);
      outgoing.write(loomEvents.encode([{ type: "text_delta", text: "We" }]), () => incoming.socket.destroy());
    });
    expect(await collect(test.client.stream("anthropic", REQUEST))).toMatchObject([
      { type: "text_delta", text: "We" },
      { type: "error", error: { code: "network", retryable: true } },
    ]);
  });

  test("in the middle of a body is an error", async () => {
    await using test = await against((incoming, outgoing) => {
      incoming.resume();
      outgoing.writeHead(200, { "content-length": "100" });
      outgoing.write("{", () => incoming.socket.destroy());
    });
    await expect(test.client.models()).rejects.toMatchObject({ code: "network", retryable: true });
  });
});

async function addressOfNobody(): Promise<{ url: string }> {
  await using server = await serve(() => {});
  return { url: server.url };
}
