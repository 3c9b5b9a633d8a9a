import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { PassThrough } from "node:stream";
import { createServer as createSecureServer, getCACertificates, setDefaultCACertificates } from "node:tls";
import { afterEach, expect, test } from "vitest";
import { selfSignedCertificate } from "../../certificate.testing.ts";
import { createPoolTransport } from "./pool-transport.ts";
import type { UpstreamControl, UpstreamHandler, UpstreamHeaders, UpstreamRequest } from "./transport.ts";

const cleanUp: (() => void)[] = [];
afterEach(() => {
  for (const each of cleanUp.splice(0)) each();
});

/** A server that sees bytes and says bytes. */
async function startServer(onConnection: (socket: Socket, number: number) => void) {
  const sockets = new Set<Socket>();
  let count = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    count += 1;
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    onConnection(socket, count);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  cleanUp.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, host: `127.0.0.1:${port}`, connections: () => count };
}

function openTransport({ connectMs = 5_000 } = {}) {
  const transport = createPoolTransport({ connectMs });
  cleanUp.push(() => transport.close());
  return transport;
}

/** What a request came to. */
class Heard implements UpstreamHandler {
  control: UpstreamControl | undefined;
  readonly statuses: number[] = [];
  headers: UpstreamHeaders = {};
  trailers: UpstreamHeaders | undefined;
  error: (Error & { code?: string }) | undefined;
  body = "";
  onChunk = (): void => {};
  onStart = (): void => {};
  readonly over: Promise<this>;
  #tell = (_: this): void => {};

  constructor() {
    this.over = new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  onRequestStart(control: UpstreamControl): void {
    this.control = control;
    this.onStart();
  }

  onResponseStart(_: UpstreamControl, status: number, headers: UpstreamHeaders): void {
    this.statuses.push(status);
    this.headers = headers;
  }

  onResponseData(_: UpstreamControl, chunk: Buffer): void {
    this.body += chunk.toString("latin1");
    this.onChunk();
  }

  onResponseEnd(_: UpstreamControl, trailers: UpstreamHeaders): void {
    this.trailers = trailers;
    this.#tell(this);
  }

  onResponseError(_: UpstreamControl, error: Error): void {
    this.error = error;
    this.#tell(this);
  }
}

const request = (more: Partial<UpstreamRequest> = {}): UpstreamRequest => {
  return { method: "POST", path: "/v1/messages?beta=true", headers: ["x-a", "1"], body: Buffer.from("{}"), ...more };
};

/** Answers every request that has come whole, judged by its last bytes. */
function answering(end: string, answer: string | ((socket: Socket) => void)) {
  return (socket: Socket): void => {
    let seen = "";
    socket.on("data", (data) => {
      seen += data.toString("latin1");
      if (!seen.endsWith(end)) return;
      seen = "";
      if (typeof answer === "string") socket.write(answer, "latin1");
      else answer(socket);
    });
  };
}

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

test("a request goes out whole and in order, and its connection serves the next one", async () => {
  let seen = "";
  const server = await startServer((socket) => {
    socket.on("data", (data) => {
      seen += data.toString("latin1");
      if (data.toString("latin1").endsWith("{}")) socket.write(OK);
    });
  });
  const transport = openTransport();
  for (let round = 0; round < 3; round += 1) {
    const heard = new Heard();
    transport.dispatch(server.origin, request(), heard);
    expect(await heard.over).toMatchObject({ statuses: [200], body: "ok", trailers: {}, error: undefined });
  }
  const one = `POST /v1/messages?beta=true HTTP/1.1\r\nhost: ${server.host}\r\nconnection: keep-alive\r\nx-a: 1\r\ncontent-length: 2\r\n\r\n{}`;
  expect(seen).toBe(one.repeat(3));
  expect(server.connections()).toBe(1);
});

test("requests at the same time have connections of their own", async () => {
  const server = await startServer(answering("{}", OK));
  const transport = openTransport();
  const all = Array.from({ length: 5 }, () => new Heard());
  for (const heard of all) transport.dispatch(server.origin, request(), heard);
  for (const heard of all) expect(await heard.over).toMatchObject({ body: "ok" });
  expect(server.connections()).toBe(5);
});

test.each([
  ["ends with it", "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"],
  ["is not kept for long", "HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 2\r\n\r\nok"],
  ["has bytes behind the response", `${OK}${OK}`],
])("a connection that %s does not serve another request", async (_, answer) => {
  const server = await startServer(answering("{}", answer));
  const transport = openTransport();
  for (let round = 0; round < 2; round += 1) {
    const heard = new Heard();
    transport.dispatch(server.origin, request(), heard);
    expect(await heard.over).toMatchObject({ statuses: [200], body: "ok", error: undefined });
  }
  expect(server.connections()).toBe(2);
});

test("an answer that the end of the connection ends is whole", async () => {
  const server = await startServer(answering("{}", (socket) => socket.end("HTTP/1.1 200 OK\r\n\r\nso be it")));
  const heard = new Heard();
  openTransport().dispatch(server.origin, request(), heard);
  expect(await heard.over).toMatchObject({ body: "so be it", error: undefined });
});

test("1xx comes first, and trailers last", async () => {
  const answer =
    "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n";
  const server = await startServer(answering("{}", answer));
  const heard = new Heard();
  openTransport().dispatch(server.origin, request(), heard);
  expect(await heard.over).toMatchObject({ statuses: [103, 200], body: "ok", trailers: { "x-sum": "7" } });
});

test.each([
  ["nothing at all", "", "ECONNRESET"],
  ["half a head", "HTTP/1.1 200 OK\r\ncontent-", "ECONNRESET"],
  ["half a body", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", "ECONNRESET"],
  ["a chunk too few", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", "ECONNRESET"],
  ["something else", "220 smtp.example.com ESMTP\r\n\r\n", "HPE_INVALID_STATUS"],
])("%s, and then the end of the connection, is an error", async (_, answer, code) => {
  const server = await startServer(answering("{}", (socket) => socket.end(answer)));
  const heard = new Heard();
  openTransport().dispatch(server.origin, request(), heard);
  expect((await heard.over).error).toMatchObject({ code });
  expect(heard.trailers).toBeUndefined();
});

test("an aborted request closes its connection, and later words about it do nothing", async () => {
  let gone: Promise<unknown> = Promise.resolve();
  const server = await startServer((socket, number) => {
    if (number === 1) gone = once(socket, "close");
    answering("{}", number === 1 ? "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbegin" : OK)(socket);
  });
  const transport = openTransport();
  const first = new Heard();
  const reason = new Error("enough");
  first.onChunk = () => first.control?.abort(reason);
  transport.dispatch(server.origin, request(), first);
  expect((await first.over).error).toBe(reason);
  await gone;
  const second = new Heard();
  second.onStart = () => {
    first.control?.abort(reason);
    first.control?.pause();
  };
  transport.dispatch(server.origin, request(), second);
  expect(await second.over).toMatchObject({ body: "ok", error: undefined });
});

test("a request that is given up as it begins leaves nothing behind", async () => {
  let seen = "";
  const server = await startServer((socket) => void socket.on("data", (data) => (seen += data.toString())));
  const heard = new Heard();
  heard.onStart = () => heard.control?.abort(new Error("enough"));
  openTransport().dispatch(server.origin, request(), heard);
  await heard.over;
  expect(seen).toBe("");
});

test("whoever pauses gets no more than what was read already", async () => {
  const megabyte = "x".repeat(1 << 20);
  const server = await startServer(
    answering("{}", (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${64 << 20}\r\n\r\n`);
      for (let count = 0; count < 64; count += 1) socket.write(megabyte);
    }),
  );
  const heard = new Heard();
  const paused = new Promise<void>((resolve) => {
    heard.onChunk = () => {
      heard.control?.pause();
      resolve();
    };
  });
  openTransport().dispatch(server.origin, request(), heard);
  await paused;
  const had = heard.body.length;
  for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(heard.body.length).toBe(had);
  expect(had).toBeLessThanOrEqual(64 * 1024);
  heard.onChunk = () => {};
  heard.control?.resume();
  expect((await heard.over).body.length).toBe(64 << 20);
});

test("a large body goes out as it is", async () => {
  const body = Buffer.alloc(3 << 20, "é{}");
  let size = 0;
  const server = await startServer((socket) => {
    socket.on("data", (data) => {
      size += data.length;
      if (size >= body.length && data.at(-1) === body.at(-1)) socket.write(OK);
    });
  });
  const heard = new Heard();
  openTransport().dispatch(server.origin, request({ body }), heard);
  expect(await heard.over).toMatchObject({ body: "ok" });
  expect(size).toBeGreaterThan(body.length);
});

test.each([
  ["of a known length", ["content-length", "6"], "content-length: 6\r\n\r\nabcdef"],
  ["of no known length", [], "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"],
])("a body %s is sent on as it comes", async (_, headers, wire) => {
  let seen = "";
  const server = await startServer((socket) => {
    socket.on("data", (data) => {
      seen += data.toString("latin1");
      if (seen.endsWith(wire)) socket.write(OK);
    });
  });
  const source = new PassThrough();
  const heard = new Heard();
  openTransport().dispatch(server.origin, request({ headers, body: source }), heard);
  source.write("abc");
  await new Promise((resolve) => setImmediate(resolve));
  source.end("def");
  expect(await heard.over).toMatchObject({ body: "ok", error: undefined });
  expect(seen.endsWith(wire)).toBe(true);
});

test.each([
  ["breaks off", (source: PassThrough) => void source.destroy()],
  ["is shorter than was said", (source: PassThrough) => void source.end()],
  ["is longer than was said", (source: PassThrough) => void source.end("defg")],
])("a body that %s takes the request with it", async (_, then) => {
  let gone: Promise<unknown> = Promise.resolve();
  const server = await startServer((socket) => {
    socket.resume();
    gone = once(socket, "close");
  });
  const source = new PassThrough();
  source.on("error", () => {});
  const heard = new Heard();
  openTransport().dispatch(server.origin, request({ headers: ["content-length", "6"], body: source }), heard);
  source.write("abc");
  await new Promise((resolve) => setTimeout(resolve));
  then(source);
  expect((await heard.over).error).toMatchObject({ code: "ECONNRESET" });
  await gone;
});

test("an answer that comes before the body is sent is heard, and the connection is given up", async () => {
  const server = await startServer((socket, number) => {
    if (number > 1) answering("{}", OK)(socket);
    else socket.once("data", () => socket.write("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno"));
  });
  const transport = openTransport();
  const source = new PassThrough();
  const first = new Heard();
  transport.dispatch(server.origin, request({ headers: ["content-length", "9"], body: source }), first);
  source.write("abc");
  expect(await first.over).toMatchObject({ statuses: [413], body: "no", error: undefined });
  const second = new Heard();
  transport.dispatch(server.origin, request(), second);
  expect(await second.over).toMatchObject({ body: "ok" });
  expect(server.connections()).toBe(2);
});

test.each([
  ["a line end in a value", { headers: ["x-a", "1\r\nx-b: 2"] }],
  ["a line end in a name", { headers: ["x-a: 1\r\nx-b", "2"] }],
  ["a blank in the path", { path: "/v1 HTTP/1.1\r\nx-a: 1" }],
  ["a path without a slash", { path: "v1" }],
  ["an odd method", { method: "GET /other HTTP/1.1\r\n" }],
  ["a coding of its own", { headers: ["Transfer-Encoding", "chunked"] }],
  ["a host of its own", { headers: ["Host", "other"] }],
])("%s is never sent", async (_, wrong) => {
  let seen = "";
  const server = await startServer((socket) => {
    socket.on("data", (data) => {
      seen += data.toString("latin1");
      socket.write(OK);
    });
  });
  const transport = openTransport();
  const heard = new Heard();
  transport.dispatch(server.origin, request(wrong), heard);
  expect((await heard.over).error).toBeInstanceOf(TypeError);
  const next = new Heard();
  transport.dispatch(server.origin, request(), next);
  expect(await next.over).toMatchObject({ body: "ok" });
  expect(seen.startsWith("POST /v1/messages?beta=true HTTP/1.1\r\n")).toBe(true);
  expect(server.connections()).toBe(1);
});

test("nobody there is an error with Node's own code", async () => {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const heard = new Heard();
  openTransport().dispatch(`http://127.0.0.1:${port}`, request(), heard);
  expect((await heard.over).error).toMatchObject({ code: "ECONNREFUSED" });
});

test.each([{ trusted: true }, { trusted: false }])(
  "TLS, with a certificate that is trusted ($trusted)",
  async ({ trusted }) => {
    const { cert, key } = selfSignedCertificate();
    const before = getCACertificates("default");
    if (trusted) setDefaultCACertificates([cert]);
    cleanUp.push(() => setDefaultCACertificates(before));
    let connections = 0;
    const events = Array.from({ length: 2_000 }, (_, index) => `data: {"text":"event ${index}"}\n\n`);
    const chunks = events.map((event) => `${event.length.toString(16)}\r\n${event}\r\n`).join("");
    const server = createSecureServer({ cert, key }, (socket) => {
      connections += 1;
      socket.on("error", () => {});
      answering("{}", `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`)(socket);
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    cleanUp.push(() => void server.close());
    const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const transport = openTransport();
    for (let round = 0; round < 3; round += 1) {
      const all = [new Heard(), new Heard()];
      for (const heard of all) transport.dispatch(origin, request(), heard);
      for (const heard of all) {
        await heard.over;
        if (trusted) expect(heard).toMatchObject({ body: events.join(""), error: undefined });
        else expect(heard.error).toMatchObject({ code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
      }
    }
    if (trusted) expect(connections).toBe(2);
  },
);

test("a closed transport ends what runs and takes nothing more", async () => {
  const server = await startServer(answering("{}", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbegin"));
  const transport = openTransport();
  const running = new Heard();
  const begun = new Promise<void>((resolve) => {
    running.onChunk = resolve;
  });
  transport.dispatch(server.origin, request(), running);
  await begun;
  transport.close();
  expect((await running.over).error).toMatchObject({ code: "ECONNRESET" });
  const late = new Heard();
  transport.dispatch(server.origin, request(), late);
  expect((await late.over).error).toBeDefined();
});

test("an idle connection that the server closes is not used", async () => {
  let close = (): void => {};
  const server = await startServer((socket) => {
    close = () => socket.end();
    answering("{}", OK)(socket);
  });
  const transport = openTransport();
  for (let round = 0; round < 2; round += 1) {
    const heard = new Heard();
    transport.dispatch(server.origin, request(), heard);
    expect(await heard.over).toMatchObject({ body: "ok", error: undefined });
    close();
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(server.connections()).toBe(2);
});
