import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { selfSignedCertificate } from "../certificate.testing.ts";
import { listen } from "./listener.ts";

const CLIENTS = 20;

/** Clients on a thread of their own, so that they can come while this one does nothing. */
const CLIENT = `
  const { connect } = require("node:net");
  const { parentPort, workerData } = require("node:worker_threads");
  const there = new Int32Array(workerData.there);
  let written = 0;
  const ask = () => new Promise((resolve) => {
    let text = "";
    const socket = connect(workerData.port, "127.0.0.1", () =>
      socket.write("GET / HTTP/1.1\\r\\nhost: localhost\\r\\n\\r\\n", () => {
        written += 1;
        if (written < workerData.clients) return;
        Atomics.store(there, 0, 1);
        Atomics.notify(there, 0);
      }));
    socket.on("data", (chunk) => { text += chunk; });
    socket.on("error", (error) => { text += error.code; });
    socket.on("close", () => resolve(text));
  });
  Promise.all(Array.from({ length: workerData.clients }, ask)).then((texts) => parentPort.postMessage(texts));
`;

test("requests that have come when the end is announced are answered, although nobody has looked at them yet", async () => {
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    handle: (_incoming, outgoing) => outgoing.end("served"),
  });
  const there = new SharedArrayBuffer(4);
  const port = Number(new URL(listener.url).port);
  const client = new Worker(CLIENT, { eval: true, workerData: { port, there, clients: CLIENTS } });
  const received = new Promise<string[]>((resolve) => client.once("message", resolve));
  expect(Atomics.wait(new Int32Array(there), 0, 0, 60_000)).not.toBe("timed-out");
  const closed = listener.close({ drainMs: 5_000, abort: () => {} });
  const answers = await received;
  expect(answers.filter((text) => /^HTTP\/1\.1 200 OK\r\n[\s\S]*served/.test(text))).toHaveLength(CLIENTS);
  await closed;
});

test.each([
  ["without a host", "GET / HTTP/1.1\r\n\r\n", 400, /no Host header/],
  [
    "with an expectation that nobody knows",
    "GET / HTTP/1.1\r\nhost: a\r\nexpect: miracles\r\n\r\n",
    417,
    /Expect header/,
  ],
])("a request %s is refused in a sentence", async (_how, request, status, sentence) => {
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    handle: (_incoming, outgoing) => outgoing.end("served"),
  });
  const text = await new Promise<string>((resolve) => {
    let received = "";
    const socket = connect(Number(new URL(listener.url).port), "127.0.0.1", () => socket.write(request));
    socket.on("data", (chunk) => {
      received += chunk;
    });
    socket.on("close", () => resolve(received));
  });
  const [head = "", body = ""] = text.split("\r\n\r\n");
  expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(JSON.parse(body)).toMatchObject({ status, detail: expect.stringMatching(sentence) });
  await listener.close({ drainMs: 0, abort: () => {} });
});

test("HTTP/1.0 needs no host", async () => {
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    handle: (_incoming, outgoing) => outgoing.end("served"),
  });
  const text = await new Promise<string>((resolve) => {
    let received = "";
    const socket = connect(Number(new URL(listener.url).port), "127.0.0.1", () =>
      socket.write("GET / HTTP/1.0\r\n\r\n"),
    );
    socket.on("data", (chunk) => {
      received += chunk;
    });
    socket.on("close", () => resolve(received));
  });
  expect(text).toMatch(/served$/);
  await listener.close({ drainMs: 0, abort: () => {} });
});

test("more connections than there may be are turned away, and idle ones make room", async () => {
  let turnedAway = 0;
  const listener = await listen({
    ...{ host: "127.0.0.1", port: 0, maxConnections: 1 },
    handle: (_incoming, outgoing) => outgoing.end("served"),
    onFull: () => {
      turnedAway += 1;
    },
  });
  const port = Number(new URL(listener.url).port);
  const first = connect(port, "127.0.0.1");
  first.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
  await new Promise((resolve) => first.once("data", resolve));
  const left = new Promise((resolve) => first.once("close", resolve));
  const second = connect(port, "127.0.0.1").on("error", () => {});
  await new Promise((resolve) => second.once("close", resolve));
  expect(turnedAway).toBe(1);
  await left;
  const third = connect(port, "127.0.0.1");
  third.write("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
  let text = "";
  for await (const chunk of third.setEncoding("utf8")) text += chunk;
  expect(text).toMatch(/^HTTP\/1\.1 200 /);
  await listener.close({ drainMs: 0, abort: () => {} });
});

test("connections that never come as far as TLS make room, too, and do not hold up the end", async () => {
  const listener = await listen({
    ...{ host: "127.0.0.1", port: 0, maxConnections: 1, tls: selfSignedCertificate() },
    handle: (_incoming, outgoing) => outgoing.end("served"),
  });
  const port = Number(new URL(listener.url).port);
  const silent = (): { readonly gone: Promise<unknown> } => {
    const socket = connect(port, "127.0.0.1").on("error", () => {});
    return { gone: new Promise((resolve) => socket.once("close", resolve)) };
  };
  const ask = (): Promise<string> =>
    new Promise((resolve) => {
      let text = "";
      const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
      socket.on("secureConnect", () => socket.write("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"));
      socket.on("data", (chunk) => {
        text += chunk;
      });
      socket.on("error", () => {});
      socket.on("close", () => resolve(text));
    });
  const first = silent();
  // Those who come while there is no room are turned away.
  let answer = "";
  while (answer === "") answer = await ask();
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  await first.gone;
  const last = silent();
  await listener.close({ drainMs: 0, abort: () => {} });
  await last.gone;
});
