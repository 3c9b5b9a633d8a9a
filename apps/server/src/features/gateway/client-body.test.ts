import { Agent, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import { listen } from "../../kit/listener.ts";
import { PlainResponse } from "../../kit/plain-http/plain-response.ts";
import type { RawOutgoing } from "../../kit/raw-exchange.ts";
import { ClientBody } from "./client-body.ts";

const cleanUp: (() => void)[] = [];
afterEach(() => {
  for (const each of cleanUp.splice(0)) each();
});

/** On Node's own requests, or on plain ones where they are plain. */
const kinds = ["node", "plain"] as const;
type Kind = (typeof kinds)[number];

async function serve(
  kind: Kind,
  answer: (outgoing: RawOutgoing, clientPort: number | undefined) => void,
): Promise<number> {
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    handle: ({ socket }, outgoing) => answer(outgoing, socket.remotePort),
    plain: {
      accepts: () => kind === "plain",
      handle(incoming, outgoing) {
        incoming.takeBody({ onPiece() {}, onEnd: () => answer(outgoing, incoming.socket.remotePort) });
      },
    },
  });
  cleanUp.push(() => void listener.close({ drainMs: 0, abort() {} }));
  return Number(new URL(listener.url).port);
}

async function ask(port: number, { agent, method = "POST" }: { agent?: Agent; method?: string } = {}) {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request({ port, method, host: "127.0.0.1", ...(agent === undefined ? {} : { agent }) }, resolve);
    outgoing.on("error", reject).end(method === "HEAD" ? undefined : "asked");
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

test.each(kinds)(
  "whatever the sizes of its pieces, a body arrives as it is, and the connection serves the next request (%s)",
  async (kind) => {
    const ports = new Set<number | undefined>();
    const port = await serve(kind, (outgoing, clientPort) => {
      expect(outgoing instanceof PlainResponse).toBe(kind === "plain");
      ports.add(clientPort);
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
  },
);

test.each(
  kinds.flatMap((kind) => [["small", "so be it: é", kind] as const, ["large", "é".repeat(20_000), kind] as const]),
)("a %s answer whose length is known goes out with it", async (_, text, kind) => {
  const bytes = Buffer.from(text);
  const port = await serve(kind, (outgoing) => {
    new ClientBody(outgoing, 200, ["content-length", String(bytes.length)]).end(bytes, {});
  });
  const { response, body } = await ask(port);
  expect(body.toString()).toBe(text);
  expect(response.headers["content-length"]).toBe(String(bytes.length));
  expect(response.headers["transfer-encoding"]).toBeUndefined();
});

test("a client of HTTP/1.0 gets the bytes alone", async () => {
  const port = await serve("node", (outgoing) => {
    const body = new ClientBody(outgoing, 200, []);
    body.write(Buffer.from("one "));
    body.end(Buffer.from("two"), {});
  });
  const heard = await say(port, "POST / HTTP/1.0\r\ncontent-length: 0\r\n\r\n");
  expect(heard.split("\r\n\r\n")[1]).toBe("one two");
  expect(heard.toLowerCase()).not.toContain("transfer-encoding");
});

test.each([
  ["HEAD", 200, "node"],
  ["POST", 204, "node"],
  ["POST", 204, "plain"],
] as const)("the answer to %s with %i has no body (%s)", async (method, status, kind) => {
  const port = await serve(kind, (outgoing) => new ClientBody(outgoing, status, []).end(undefined, {}));
  expect((await ask(port, { method })).body.length).toBe(0);
});

test.each(kinds)("a client that takes nothing is told of, and the rest arrives when it takes it (%s)", async (kind) => {
  const megabyte = Buffer.alloc(1 << 20, "x");
  let refused = 0;
  const port = await serve(kind, (outgoing) => {
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
