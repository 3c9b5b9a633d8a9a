import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { selfSignedCertificate } from "../../certificate.testing.ts";
import { type Listener, listen } from "../listener.ts";
import type { RawIncoming, RawOutgoing } from "../raw-exchange.ts";
import { PlainConnections } from "./plain-connections.ts";
import { PlainRequest } from "./plain-request.ts";

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of cleanUp.splice(0).reverse()) await each();
});

/** Says what it was asked, as it was understood, once the body is there. */
function echo(incoming: RawIncoming, outgoing: RawOutgoing): void {
  const parts: Buffer[] = [];
  incoming.takeBody({
    onPiece: (piece) => void parts.push(piece),
    onEnd() {
      const { method, url, httpVersion, rawHeaders, headers, headersDistinct } = incoming;
      const body = Buffer.concat(parts).toString("latin1");
      const said = JSON.stringify({ method, url, httpVersion, rawHeaders, headers, headersDistinct, body });
      outgoing.writeHead(200, ["x-one", "1", "content-length", String(Buffer.byteLength(said, "latin1"))]);
      outgoing.end(said, "latin1");
    },
  });
}

type Served = {
  readonly url: string;
  readonly port: number;
  /** Requests that came as plain ones. */
  readonly plain: () => number;
  readonly listener: Listener;
};

type Answer = (incoming: RawIncoming, outgoing: RawOutgoing) => void;

async function serve({
  takesPlain = true,
  answer = echo,
  tls,
}: {
  readonly takesPlain?: boolean;
  readonly answer?: Answer;
  readonly tls?: { readonly cert: string; readonly key: string };
} = {}): Promise<Served> {
  let plain = 0;
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    ...(tls === undefined ? {} : { tls }),
    handle: answer,
    plain: {
      accepts: (url) => takesPlain && url.startsWith("/plain"),
      handle(incoming, outgoing) {
        expect(incoming).toBeInstanceOf(PlainRequest);
        plain += 1;
        answer(incoming, outgoing);
      },
    },
  });
  cleanUp.push(() => listener.close({ drainMs: 0, abort() {} }));
  return { url: listener.url, port: Number(new URL(listener.url).port), plain: () => plain, listener };
}

function open(port: number): Socket {
  const socket = connect(port, "127.0.0.1");
  cleanUp.push(() => socket.destroy());
  return socket;
}

/** What a server says to these bytes in these pieces until it ends or says no more of what is expected. */
async function say(socket: Socket, pieces: readonly Buffer[], isAll: (heard: string) => boolean): Promise<string> {
  let heard = "";
  const done = new Promise<string>((resolve) => {
    socket.on("data", (part: Buffer) => {
      heard += part.toString("latin1");
      if (isAll(heard)) resolve(heard);
    });
    socket.on("close", () => resolve(heard));
    socket.on("error", () => {});
  });
  for (const piece of pieces) {
    socket.write(piece);
    // One read for each of them on the other side, mostly.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return done;
}

/** Its open connections. */
const count = (server: Server): Promise<number> =>
  new Promise((resolve) => server.getConnections((_, connections) => resolve(connections)));

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");
const undated = (heard: string): string => heard.replaceAll(/^Date: .*$/gm, "Date: -");
const answers = (heard: string): number => heard.split("HTTP/1.1 ").length - 1;

const odd: readonly (readonly [string, string])[] = [
  ["a length in other digits", "POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 0x1\r\n\r\na"],
  ["a length with a sign", "POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na"],
  ["two lengths", "POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
  ["a list of lengths", "POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\na"],
  [
    "a length and a coding",
    "POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ],
  ["chunks", "POST /plain HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"],
  ["a blank before the colon", "POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length : 1\r\n\r\na"],
  ["a folded line", "POST /plain HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\nContent-Length: 1\r\n\r\na"],
  ["a line feed alone", "POST /plain HTTP/1.1\r\nHost: x\nContent-Length: 1\r\n\r\na"],
  ["a carriage return in a value", "POST /plain HTTP/1.1\r\nHost: x\r\nX-A: b\rc\r\nContent-Length: 1\r\n\r\na"],
  ["a NUL", "POST /plain HTTP/1.1\r\nHost: x\r\nX-A: b\0c\r\nContent-Length: 1\r\n\r\na"],
  ["no host", "POST /plain HTTP/1.1\r\nContent-Length: 1\r\n\r\na"],
  ["two hosts", "POST /plain HTTP/1.1\r\nHost: x\r\nHost: y\r\nContent-Length: 1\r\n\r\na"],
  ["a whole address", "POST http://x/plain HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"],
  ["HTTP/1.0", "POST /plain HTTP/1.0\r\nHost: x\r\nContent-Length: 1\r\n\r\na"],
  ["another method", "PUT /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"],
  ["the prototype as a header", "POST /plain HTTP/1.1\r\nHost: x\r\n__proto__: b\r\nContent-Length: 1\r\n\r\na"],
  [
    "the name of what every object has",
    "POST /plain HTTP/1.1\r\nHost: x\r\nconstructor: b\r\nContent-Length: 1\r\n\r\na",
  ],
  ["a header twice", "POST /plain HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 1\r\n\r\na"],
  ["an expectation", "POST /plain HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na"],
  ["blanks that are no blanks", "POST /plain HTTP/1.1\r\nHost: x\r\nX-A: \xa0b\xa0\r\nContent-Length: 1\r\n\r\na"],
  ["no colon", "POST /plain HTTP/1.1\r\nHost: x\r\nnothing\r\nContent-Length: 1\r\n\r\na"],
  ["nothing behind the line", "POST /plain HTTP/1.1\r\n\r\n"],
  ["a head without an end", `POST /plain HTTP/1.1\r\nHost: x\r\nX-A: ${"a".repeat(20_000)}`],
  [
    "too many headers",
    `POST /plain HTTP/1.1\r\nHost: x\r\n${"a".repeat(1)}${Array.from({ length: 150 }, (_, n) => `x-${n}: 1\r\n`).join("")}Content-Length: 1\r\n\r\na`,
  ],
  ["another protocol from the start", "SSH-2.0-OpenSSH_9.2\r\n\r\n"],
  ["a path of other characters", "POST /plain\x7f HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"],
  ["no body", "POST /plain?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"],
];

/** Behind it, the connection is either closed or good for another one, whose answer says that it closes. */
const LAST = "POST /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nend";

test.each(odd)("%s: is understood and answered as by Node's server alone, to the byte", async (_, head) => {
  const [both, node] = [await serve(), await serve({ takesPlain: false })];
  const ofNode = await say(open(node.port), [bytes(head), bytes(LAST)], () => false);
  expect(undated(await say(open(both.port), [bytes(head), bytes(LAST)], () => false))).toBe(undated(ofNode));
  expect(ofNode).not.toBe("");
});

test("whoever offers another protocol is for Node's server; what comes behind the last request is for nobody", async () => {
  const server = await serve();
  const offer = "POST /plain HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\na";
  expect(answers(await say(open(server.port), [bytes(offer)], (heard) => answers(heard) > 0))).toBe(1);
  expect(server.plain()).toBe(0);
  const last = "POST /plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\na";
  expect(answers(await say(open(server.port), [bytes(last + LAST)], () => false))).toBe(1);
  expect(server.plain()).toBe(1);
});

const value = fc.stringMatching(/^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]{0,10}[\x21-\x7e\x80-\xff])?)?$/);
const name = fc
  .stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,8}$/)
  .filter((each) => !/^(?:content-length|transfer-encoding|connection|host|expect|upgrade|trailer|te)$/i.test(each));
const request = fc.record({
  path: fc.constantFrom("/plain", "/plain/a%20b?c=d&e", "/other", "/plain?key=1"),
  method: fc.constantFrom("POST", "POST", "POST", "GET"),
  headers: fc.array(fc.tuple(name, value), { maxLength: 4 }),
  body: fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 60 }),
});
const wireOf = ({ path, method, headers, body }: typeof request extends fc.Arbitrary<infer R> ? R : never): string =>
  `${method} ${path} HTTP/1.1\r\nHost: x\r\n${headers.map(([key, content]) => `${key}: ${content}\r\n`).join("")}Content-Length: ${body.length}\r\n\r\n${body}`;

function split(text: string, cuts: readonly number[]): Buffer[] {
  const all = bytes(text);
  const places = [...new Set([0, ...cuts.map((cut) => cut % (all.length + 1)), all.length])].sort((a, b) => a - b);
  return places.slice(1).map((place, index) => all.subarray(places[index] ?? 0, place));
}

test("any requests, in any pieces, one behind the other, are answered as by Node's server alone, to the byte", async () => {
  const [both, node] = [await serve(), await serve({ takesPlain: false })];
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(), { maxLength: 4 }),
      async (requests, cuts) => {
        const wire = requests.map(wireOf).join("") + LAST;
        const ofNode = await say(open(node.port), [bytes(wire)], () => false);
        expect(answers(ofNode)).toBe(requests.length + 1);
        expect(undated(await say(open(both.port), split(wire, cuts), () => false))).toBe(undated(ofNode));
      },
    ),
    { numRuns: 150 },
  );
  expect(both.plain()).toBeGreaterThan(50);
  expect(node.plain()).toBe(0);
});

test("with TLS, too", async () => {
  const tls = selfSignedCertificate();
  const server = await serve({ tls });
  const wire = `POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhiGET /plain HTTP/1.1\r\nHost: x\r\n\r\n${LAST}`;
  const socket = connectTls({ port: server.port, host: "127.0.0.1", ca: tls.cert });
  cleanUp.push(() => socket.destroy());
  const heard = await say(socket, [bytes(wire)], () => false);
  expect(answers(heard)).toBe(3);
  expect(server.plain()).toBe(1);
});

const PLAIN = "POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n";

describe("a client that leaves", () => {
  const leaving: readonly (readonly [string, string, (socket: Socket) => void])[] = [
    ["before its body is there", `${PLAIN}12`, (socket) => void socket.end()],
    ["while it is answered", `${PLAIN}12345`, (socket) => void socket.end()],
    ["with a reset", `${PLAIN}12345`, (socket) => void socket.resetAndDestroy()],
    ["with more of its requests on the way", `${PLAIN}12345${PLAIN}`, (socket) => void socket.destroy()],
  ];
  test.each(leaving)("%s: the answer closes unfinished, once, and the server goes on", async (_, wire, leave) => {
    const closed: boolean[] = [];
    let seen = (): void => {};
    const came = new Promise<void>((resolve) => {
      seen = resolve;
    });
    let gone = (): void => {};
    const left = new Promise<void>((resolve) => {
      gone = resolve;
    });
    const server = await serve({
      answer(incoming, outgoing) {
        if (incoming.url === "/plain/again") return echo(incoming, outgoing);
        incoming.takeBody({ onPiece: seen, onEnd() {} });
        outgoing.on("close", () => {
          closed.push(outgoing.writableFinished);
          expect(outgoing.destroyed).toBe(true);
          gone();
        });
      },
    });
    const socket = open(server.port);
    socket.on("error", () => {});
    socket.write(wire);
    await came;
    leave(socket);
    await left;
    const again = `POST /plain/again HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nConnection: close\r\n\r\na`;
    expect(answers(await say(open(server.port), [bytes(again)], () => false))).toBe(1);
    expect(closed).toEqual([false]);
  });
});

test("who is answered before his body has come sends the rest, and asks again on the same connection", async () => {
  const server = await serve({
    answer(incoming, outgoing) {
      if (incoming.url === "/plain/last") return echo(incoming, outgoing);
      outgoing.writeHead(401, { "content-length": 2 });
      outgoing.end("no");
    },
  });
  const socket = open(server.port);
  const size = 3_000_000;
  const first = await new Promise<string>((resolve) => {
    socket.once("data", (part: Buffer) => resolve(part.toString("latin1")));
    socket.write(`POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n`);
  });
  expect(first).toMatch(/^HTTP\/1\.1 401 Unauthorized\r\n/);
  const last = "POST /plain/last HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nend";
  const heard = await say(socket, [Buffer.alloc(size, "x"), bytes(last)], () => false);
  expect(heard).toContain('"body":"end"');
  expect(server.plain()).toBe(2);
});

test("of a body that nobody takes, little is read; whoever takes it late gets all of it", async () => {
  const size = 8_000_000;
  let start = (): void => {};
  const server = await serve({
    answer(incoming, outgoing) {
      start = () => {
        let length = 0;
        incoming.takeBody({
          onPiece: (piece) => {
            length += piece.length;
          },
          onEnd() {
            outgoing.writeHead(200, { "content-length": String(length).length });
            outgoing.end(String(length));
          },
        });
      };
    },
  });
  const socket = open(server.port);
  socket.write(`POST /plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${size}\r\n\r\n`);
  const body = Buffer.alloc(size, "x");
  let isTaken = false;
  socket.write(body, () => {
    isTaken = true;
  });
  await expect.poll(() => server.plain()).toBe(1);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(isTaken).toBe(false);
  start();
  expect(await say(socket, [], () => false)).toMatch(new RegExp(`\r\n\r\n${size}$`));
});

describe("an answer", () => {
  const wrong: readonly (readonly [string, string[]])[] = [
    ["a line end in a value", ["x-a", "1\r\nx-b: 2"]],
    ["a line feed in a value", ["x-a", "1\nx-b: 2"]],
    ["a carriage return in a value", ["x-a", "1\rx-b: 2"]],
    ["a colon in a name", ["x-a: 1\r\nx-b", "2"]],
    ["what is no byte in a value", ["x-a", "ā"]],
  ];
  test.each(wrong)("with %s is not sent", async (_, headers) => {
    let thrown: unknown;
    const server = await serve({
      answer(_incoming, outgoing) {
        try {
          outgoing.writeHead(200, [...headers, "content-length", "0"]);
        } catch (error) {
          thrown = error;
          outgoing.destroy();
        }
      },
    });
    expect(await say(open(server.port), [bytes(`${PLAIN}12345`)], () => false)).toBe("");
    expect(thrown).toBeInstanceOf(Error);
    expect(server.plain()).toBe(1);
  });

  test.each([204, 304])(
    "of status %d has no body, and leaves its connection open, as with Node's server",
    async (status) => {
      const heard = [true, false].map(async (takesPlain) => {
        const answer: Answer = (incoming, outgoing) => {
          incoming.takeBody({
            onPiece() {},
            onEnd() {
              outgoing.writeHead(status, []);
              outgoing.end();
            },
          });
        };
        const { port } = await serve({ takesPlain, answer });
        const request = bytes("POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        return undated(
          await say(open(port), [request, request], (all) => answers(all) === 2 && all.endsWith("\r\n\r\n")),
        );
      });
      const [plain, node] = await Promise.all(heard);
      expect(plain).toBe(node);
      expect(plain).toContain("Connection: keep-alive");
    },
  );

  test("of no known length ends with its connection", async () => {
    const server = await serve({
      answer(incoming, outgoing) {
        incoming.takeBody({
          onPiece() {},
          onEnd() {
            outgoing.writeHead(200, ["x-a", "1"]);
            outgoing.writeNow("some ");
            outgoing.end("text");
          },
        });
      },
    });
    const heard = await say(open(server.port), [bytes(`${PLAIN}12345`)], () => false);
    expect(heard).toMatch(/\r\nConnection: close\r\n\r\nsome text$/);
  });
});

test("when the server ends, idle connections close, and who is being answered gets all of it", async () => {
  let finish = (): void => {};
  const server = await serve({
    answer(incoming, outgoing) {
      if (incoming.url === "/plain/quick") return echo(incoming, outgoing);
      outgoing.writeHead(200, { "content-length": 4 });
      outgoing.writeNow("so ");
      finish = () => void outgoing.end("!");
    },
  });
  const idle = open(server.port);
  const fresh = open(server.port);
  const busy = open(server.port);
  await say(
    idle,
    [bytes(`POST /plain/quick HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`)],
    (heard) => answers(heard) > 0,
  );
  await expect.poll(() => fresh.readyState).toBe("open");
  await say(busy, [bytes(`${PLAIN}12345`)], (heard) => heard.endsWith("so "));
  const ends = Promise.all([once(idle, "close"), once(fresh, "close")]);
  const closed = server.listener.close({ drainMs: 10_000, abort() {} });
  await ends;
  const rest = say(busy, [], () => false);
  finish();
  expect(await rest).toBe("!");
  await closed;
});

test("who has connected a moment before the end is answered, and told that the connection closes with it", async () => {
  const server = await serve({
    answer(incoming, outgoing) {
      outgoing.setHeader("connection", "close");
      echo(incoming, outgoing);
    },
  });
  const socket = open(server.port);
  await expect.poll(() => socket.readyState).toBe("open");
  const closed = server.listener.close({ drainMs: 10_000, abort() {} });
  // Some sweeps later.
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await say(socket, [bytes(`${PLAIN}12345`)], () => false)).toMatch(/\r\nConnection: close\r\n/);
  await closed;
});

test("who says nothing, or not all of it, is told so; who has nothing to ask any more is let go", async () => {
  const limits = { headers: 10, request: 10, rest: 10, keepAlive: 10 };
  const server = createServer((socket) => connections.add(socket));
  const connections = new PlainConnections(
    {
      accepts: () => true,
      handle(incoming, outgoing) {
        if (incoming.headers["x-early"] === undefined) return echo(incoming, outgoing);
        outgoing.writeHead(401, ["content-length", "2"]);
        outgoing.end("no");
      },
    },
    {
      limits,
      toNode: (socket) => void socket.destroy(),
      refuse: (socket) => void socket.end("too slow"),
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanUp.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  expect(await say(open(port), [], () => false)).toBe("too slow");
  expect(await say(open(port), [bytes(`${PLAIN}12`)], () => false)).toBe("too slow");
  const heard = await say(open(port), [bytes(`${PLAIN}12345`)], () => false);
  expect([answers(heard), heard.includes("slow")]).toEqual([1, false]);
  // One that was answered, and does not send the rest.
  const early = PLAIN.replace("\r\n\r\n", "\r\nX-Early: 1\r\n\r\n");
  const refused = await say(open(port), [bytes(`${early}12`)], () => false);
  expect([answers(refused), refused.includes("slow")]).toEqual([1, false]);
  // One that was told so, and stays.
  const stays = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  cleanUp.push(() => stays.destroy());
  let said = "";
  stays.on("data", (part: Buffer) => {
    said += part.toString("latin1");
  });
  await once(stays, "end");
  expect(said).toBe("too slow");
  await expect.poll(() => count(server), { timeout: 10_000 }).toBe(0);
});

test("behind an answer that closes, nothing is taken any more, and the connection goes without the client's doing", async () => {
  let requests = 0;
  const server = await serve({
    answer(incoming, outgoing) {
      requests += 1;
      echo(incoming, outgoing);
    },
  });
  const socket = connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
  cleanUp.push(() => socket.destroy());
  socket.on("error", () => {});
  const closing = "POST /plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\na";
  const ended = once(socket, "end");
  await say(socket, [bytes(closing)], (heard) => answers(heard) > 0);
  await ended;
  // Nobody is there any more, so that these bytes are answered with a reset.
  const asking = setInterval(() => socket.write(`${PLAIN}12345`), 20);
  cleanUp.push(() => clearInterval(asking));
  await new Promise((resolve) => socket.once("close", resolve));
  expect(requests).toBe(1);
});

test.each([70_000, 100_000, 130_000])(
  "a body of %i bytes that is taken late, and then another request on the same connection",
  async (size) => {
    const server = await serve({
      answer: (incoming, outgoing) => void setTimeout(() => echo(incoming, outgoing), 50),
    });
    const socket = open(server.port);
    const body = "x".repeat(size);
    const wire = `POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n`;
    const first = await say(socket, [bytes(wire), bytes(body)], (heard) => heard.endsWith(`"body":"${body}"}`));
    expect(answers(first)).toBe(1);
    const heard = await say(socket, [bytes(LAST.replace("/last", "/plain/last"))], () => false);
    expect(heard).toContain('"body":"end"');
    expect(server.plain()).toBe(2);
  },
);

test("a client that is reset while the end of its answer waits for it has not got it", async () => {
  let finished: boolean | undefined;
  let written = (): void => {};
  const isWritten = new Promise<void>((resolve) => {
    written = resolve;
  });
  const server = await serve({
    answer(_, outgoing) {
      const size = 50_000_000;
      outgoing.on("close", () => {
        finished = outgoing.writableFinished;
      });
      outgoing.writeHead(200, { "content-length": size });
      outgoing.end(Buffer.alloc(size, "x"));
      written();
    },
  });
  const socket = open(server.port);
  socket.on("error", () => {});
  socket.pause();
  socket.write(`${PLAIN}12345${PLAIN}12345`);
  await isWritten;
  socket.resetAndDestroy();
  await expect.poll(() => finished).toBe(false);
  expect(server.plain()).toBe(1);
});

test("who sends far ahead of his turn is cut off, so that he cannot leave unnoticed", async () => {
  let closed = 0;
  const server = await serve({
    answer(incoming, outgoing) {
      incoming.takeBody({ onPiece() {}, onEnd() {} });
      outgoing.on("close", () => {
        closed += 1;
      });
    },
  });
  const socket = open(server.port);
  socket.on("error", () => {});
  socket.write(`${PLAIN}12345`);
  socket.write(Buffer.alloc(1_000_000, "x"));
  await new Promise((resolve) => socket.once("close", resolve));
  await expect.poll(() => closed).toBe(1);
});
