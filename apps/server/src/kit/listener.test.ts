import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { listen } from "./listener.ts";

/** A client on a thread of its own, so that it can come while this one does nothing. */
const CLIENT = `
  const { connect } = require("node:net");
  const { parentPort, workerData } = require("node:worker_threads");
  const there = new Int32Array(workerData.there);
  let text = "";
  const socket = connect(workerData.port, "127.0.0.1", () =>
    socket.write("GET / HTTP/1.1\\r\\nhost: localhost\\r\\n\\r\\n", () => {
      Atomics.store(there, 0, 1);
      Atomics.notify(there, 0);
    }));
  socket.on("data", (chunk) => { text += chunk; });
  socket.on("error", (error) => { text += error.code; });
  socket.on("close", () => parentPort.postMessage(text));
`;

test("a request that has come when the end is announced is answered, although nobody has looked at it yet", async () => {
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    handle: (_incoming, outgoing) => outgoing.end("served"),
  });
  const there = new SharedArrayBuffer(4);
  const port = Number(new URL(listener.url).port);
  const client = new Worker(CLIENT, { eval: true, workerData: { port, there } });
  const received = new Promise((resolve) => client.once("message", resolve));
  expect(Atomics.wait(new Int32Array(there), 0, 0, 60_000)).not.toBe("timed-out");
  const closed = listener.close({ drainMs: 5_000, abort: () => {} });
  await expect(received).resolves.toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*served/);
  await closed;
});
