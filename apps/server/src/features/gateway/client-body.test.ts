import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import { ClientBody } from "./client-body.ts";

const cleanUp: (() => void)[] = [];
afterEach(() => {
  for (const each of cleanUp.splice(0)) each();
});

async function serve(answer: (outgoing: ServerResponse) => void): Promise<number> {
  const server = createServer((_, outgoing) => answer(outgoing));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanUp.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

async function ask(port: number, { agent, method = "POST" }: { agent?: Agent; method?: string } = {}) {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request({ port, method, host: "127.0.0.1", ...(agent === undefined ? {} : { agent }) }, resolve);
    outgoing.on("error", reject).end();
  });
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part);
  return { response, body: Buffer.concat(parts) };
}

/** What a client that knows nothing of HTTP gets. */
async function say(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.end(text);
  let heard = "";
  for await (const part of socket) heard += part.toString("latin1");
  return heard;
}

const pieces = [1, 9, 15, 16, 255, 256, 4_095, 16_384, 16_385, 70_000].map((size) =>
  Buffer.alloc(size, `${size}é\r\n`),
);

const TEXTS = ["", "é", "word\r\n", "😀".repeat(5_000)];

test("whatever the sizes of its pieces, a body arrives as it is, and the connection serves the next request", async () => {
  const ports = new Set<number | undefined>();
  const port = await serve((outgoing) => {
    ports.add(outgoing.socket?.remotePort);
    const body = new ClientBody(outgoing, 200, ["x-one", "1"]);
    for (const piece of pieces) body.write(piece);
    body.write(Buffer.alloc(0));
    for (const text of TEXTS) body.writeText(text);
    body.end(Buffer.from("end"), { "x-sum": "7", "x-bad": "1\r\n2", "x\r\n": "3" });
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  cleanUp.push(() => agent.destroy());
  for (let round = 0; round < 3; round += 1) {
    const { response, body } = await ask(port, { agent });
    expect(body.equals(Buffer.concat([...pieces, Buffer.from(`${TEXTS.join("")}end`)]))).toBe(true);
    expect(response.headers).toMatchObject({ "x-one": "1", "transfer-encoding": "chunked" });
    expect(response.trailers).toEqual({ "x-sum": "7" });
  }
  expect(ports.size).toBe(1);
});

test.each([
  ["small", "so be it: é"],
  ["large", "é".repeat(20_000)],
])("a %s answer whose length is known goes out with it", async (_, text) => {
  const bytes = Buffer.from(text);
  const port = await serve((outgoing) => {
    new ClientBody(outgoing, 200, ["content-length", String(bytes.length)]).end(bytes, {});
  });
  const { response, body } = await ask(port);
  expect(body.toString()).toBe(text);
  expect(response.headers["content-length"]).toBe(String(bytes.length));
  expect(response.headers["transfer-encoding"]).toBeUndefined();
});

test("a client of HTTP/1.0 gets the bytes alone", async () => {
  const port = await serve((outgoing) => {
    const body = new ClientBody(outgoing, 200, []);
    body.write(Buffer.from("one "));
    body.end(Buffer.from("two"), {});
  });
  const heard = await say(port, "POST / HTTP/1.0\r\ncontent-length: 0\r\n\r\n");
  expect(heard.split("\r\n\r\n")[1]).toBe("one two");
  expect(heard.toLowerCase()).not.toContain("transfer-encoding");
});

test.each([
  ["HEAD", 200],
  ["POST", 204],
])("the answer to %s with %i has no body", async (method, status) => {
  const port = await serve((outgoing) => new ClientBody(outgoing, status, []).end(undefined, {}));
  expect((await ask(port, { method })).body.length).toBe(0);
});

test("a client that takes nothing is told of, and the rest arrives when it takes it", async () => {
  const megabyte = Buffer.alloc(1 << 20, "x");
  let refused = 0;
  const port = await serve((outgoing) => {
    const body = new ClientBody(outgoing, 200, []);
    let left = 64;
    const more = (): void => {
      while (left > 0) {
        left -= 1;
        if (body.write(megabyte)) continue;
        refused += 1;
        outgoing.once("drain", more);
        return;
      }
      body.end(undefined, {});
    };
    more();
  });
  expect((await ask(port)).body.length).toBe(64 << 20);
  expect(refused).toBeGreaterThan(0);
});
