import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { UpstreamHeaders } from "../transport.ts";
import { BadResponse } from "./response-head.ts";
import { ResponseParser } from "./response-parser.ts";

type Seen = {
  readonly heads: { readonly status: number; readonly headers: UpstreamHeaders; readonly keepAlive: boolean }[];
  body: string;
  /** How many pieces the body came in. */
  pieces: number;
  trailers: UpstreamHeaders | undefined;
  whole: boolean;
};

/** What comes out of these bytes in these pieces, and then the end of the connection. */
function parse(pieces: readonly Buffer[], { toHead = false } = {}): Seen {
  const seen: Seen = { heads: [], body: "", pieces: 0, trailers: undefined, whole: false };
  const parser = new ResponseParser({
    onHead: ({ status, headers, keepAlive }) => void seen.heads.push({ status, headers, keepAlive }),
    onBody(chunk) {
      seen.body += chunk.toString("latin1");
      seen.pieces += 1;
    },
    onEnd(trailers) {
      seen.trailers = trailers;
    },
  });
  parser.begin({ toHead });
  // The parser may move bytes about: each run has its own.
  for (const piece of pieces) parser.push(Buffer.from(piece));
  seen.whole = parser.finish();
  return seen;
}

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");
const inOnePiece = (text: string, options?: { toHead: boolean }): Seen => parse([bytes(text)], options);

function split(text: string, cuts: readonly number[]): Buffer[] {
  const all = bytes(text);
  const places = [...new Set([0, ...cuts.map((cut) => cut % (all.length + 1)), all.length])].sort((a, b) => a - b);
  return places.slice(1).map((place, index) => all.subarray(places[index] ?? 0, place));
}

const text = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });
const value = fc.stringMatching(/^[\x21-\x7e](?:[\x20-\x7e]{0,20}[\x21-\x7e])?$/);
const name = fc
  .stringMatching(/^[a-z][a-z0-9-]{0,12}$/)
  .filter((each) => !["content-length", "transfer-encoding", "connection", "constructor"].includes(each));
const headers = fc.array(fc.tuple(name, value), { maxLength: 5 });
const lines = (of: readonly (readonly [string, string])[]): string =>
  of.map(([key, content]) => `${key}: ${content}\r\n`).join("");

type Response = { readonly wire: string; readonly body: string };
const withLength = fc.tuple(headers, text).map(([of, body]): Response => {
  return { wire: `HTTP/1.1 200 OK\r\n${lines(of)}Content-Length: ${body.length}\r\n\r\n${body}`, body };
});
const inChunks = fc
  .tuple(headers, fc.array(text), headers, fc.boolean())
  .map(([of, parts, trailers, extended]): Response => {
    const extension = extended ? ' ; name="value"' : "";
    const chunks = parts
      .filter((part) => part !== "")
      .map((part) => `${part.length.toString(16).toUpperCase()}${extension}\r\n${part}\r\n`);
    const wire = `HTTP/1.1 200 OK\r\n${lines(of)}Transfer-Encoding: Chunked\r\n\r\n${chunks.join("")}0\r\n${lines(trailers)}\r\n`;
    return { wire, body: parts.join("") };
  });
const untilClose = fc.tuple(headers, text).map(([of, body]): Response => {
  return { wire: `HTTP/1.1 200\r\n${lines(of)}\r\n${body}`, body };
});
const early = fc.constantFrom("", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
const response = fc
  .tuple(early, fc.oneof(withLength, inChunks, untilClose))
  .map(([before, { wire, body }]): Response => {
    return { wire: before + wire, body };
  });

test("any split of the bytes gives the same response", () => {
  fc.assert(
    fc.property(response, fc.array(fc.nat(), { maxLength: 12 }), ({ wire, body }, cuts) => {
      const whole = inOnePiece(wire);
      expect(whole).toMatchObject({ body, whole: true });
      const { pieces: _, ...expected } = whole;
      expect(parse(split(wire, cuts))).toMatchObject(expected);
      expect(parse([...bytes(wire)].map((byte) => Buffer.from([byte])))).toMatchObject(expected);
    }),
    { numRuns: 300 },
  );
});

test("a response that stops anywhere before its end is not taken for a whole one", () => {
  fc.assert(
    fc.property(fc.oneof(withLength, inChunks), fc.nat(), ({ wire }, at) => {
      const seen = parse([bytes(wire.slice(0, at % wire.length))]);
      expect(seen).toMatchObject({ whole: false, trailers: undefined });
    }),
  );
});

test("bytes that are no response end in a clear error or are waited for, and never in another one", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        text,
        response.map(({ wire }) => wire),
      ),
      fc.nat(),
      text,
      (wire, at, garbage) => {
        const place = at % (wire.length + 1);
        try {
          inOnePiece(wire.slice(0, place) + garbage + wire.slice(place));
        } catch (error) {
          expect(error).toBeInstanceOf(BadResponse);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("chunks that come together go out together", () => {
  const events = Array.from({ length: 50 }, (_, index) => `data: ${index}\n\n`);
  const chunks = events.map((event) => `${event.length.toString(16)}\r\n${event}\r\n`).join("");
  const seen = inOnePiece(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`);
  expect(seen).toMatchObject({ body: events.join(""), pieces: 1, whole: true, trailers: {} });
});

test("headers and trailers are read as they came", () => {
  const seen = inOnePiece(
    "HTTP/1.1 200 OK\r\nX-One:1\r\nx-two: \t two words \r\nX-TWO: again\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\nempty:\r\n" +
      "transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 12\r\nx-more: 3\r\n\r\n",
  );
  expect(seen.heads).toEqual([
    {
      status: 200,
      keepAlive: true,
      headers: {
        "x-one": "1",
        "x-two": ["two words", "again"],
        "set-cookie": ["a=1", "b=2"],
        empty: "",
        "transfer-encoding": "chunked",
      },
    },
  ]);
  expect(seen).toMatchObject({ body: "ok", trailers: { "x-sum": "12", "x-more": "3" }, whole: true });
});

test("lengths that agree are one, for whoever reads them next as well", () => {
  const twice = "content-length: 2\r\nContent-Length: 2\r\n\r\n";
  expect(inOnePiece(`HTTP/1.1 200 OK\r\n${twice}ok`)).toMatchObject({
    body: "ok",
    whole: true,
    heads: [{ headers: { "content-length": "2" } }],
  });
  const none = inOnePiece(`HTTP/1.1 304 Not Modified\r\n${twice}`);
  expect(none.heads).toMatchObject([{ headers: { "content-length": "2" } }]);
});

test.each([
  ["204", "HTTP/1.1 204 No Content\r\n\r\n", false],
  ["304 with the length of what it stands for", "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", false],
  ["a HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", true],
  ["a length of 0", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false],
])("%s is whole without a body", (_, wire, toHead) => {
  expect(inOnePiece(wire, { toHead })).toMatchObject({ body: "", pieces: 0, whole: true, trailers: {} });
});

test.each([
  ["HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx", true],
  ["HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\nx", true],
  ["HTTP/1.1 200 OK\r\nConnection: foo, Close\r\ncontent-length: 1\r\n\r\nx", false],
  ["HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx", false],
  ["HTTP/1.1 200 OK\r\n\r\nx", false],
])("whether the connection may be used again: %j", (wire, keepAlive) => {
  expect(inOnePiece(wire)).toMatchObject({ body: "x", heads: [{ keepAlive }] });
});

describe("is no response:", () => {
  const ok = "HTTP/1.1 200 OK\r\n";
  const chunked = `${ok}transfer-encoding: chunked\r\n\r\n`;
  test.each([
    ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "HPE_INVALID_STATUS"],
    ["HTTP/2", "HTTP/2 200\r\n\r\n", "HPE_INVALID_STATUS"],
    ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", "HPE_INVALID_STATUS"],
    ["another protocol offered", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "HPE_INVALID_STATUS"],
    [
      "a length and a coding",
      `${ok}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n`,
      "HPE_INVALID_TRANSFER_ENCODING",
    ],
    ["two codings", `${ok}transfer-encoding: gzip, chunked\r\n\r\n`, "HPE_INVALID_TRANSFER_ENCODING"],
    ["two lengths", `${ok}content-length: 1\r\ncontent-length: 2\r\n\r\nx`, "HPE_INVALID_CONTENT_LENGTH"],
    ["a list of lengths", `${ok}content-length: 1, 1\r\n\r\nx`, "HPE_INVALID_CONTENT_LENGTH"],
    ["a negative length", `${ok}content-length: -1\r\n\r\n`, "HPE_INVALID_CONTENT_LENGTH"],
    ["a length of too many digits", `${ok}content-length: 1${"0".repeat(20)}\r\n\r\n`, "HPE_INVALID_CONTENT_LENGTH"],
    ["a folded header", `${ok}a: b\r\n c\r\n\r\n`, "HPE_INVALID_HEADER_TOKEN"],
    ["a header without a colon", `${ok}nothing\r\n\r\n`, "HPE_INVALID_HEADER_TOKEN"],
    ["a blank before the colon", `${ok}content-length : 1\r\n\r\nx`, "HPE_INVALID_HEADER_TOKEN"],
    ["a line feed alone", `${ok}a: b\nc: d\r\n\r\n`, "HPE_INVALID_HEADER_TOKEN"],
    ["a carriage return alone", `${ok}a: b\rc: d\r\n\r\n`, "HPE_INVALID_HEADER_TOKEN"],
    ["a NUL", `${ok}a: b\0\r\n\r\n`, "HPE_INVALID_HEADER_TOKEN"],
    ["the prototype as a header", `${ok}__proto__: b\r\n\r\n`, "HPE_INVALID_HEADER_TOKEN"],
    ["a head without an end", `${ok}a: ${"b".repeat(70_000)}`, "HPE_HEADER_OVERFLOW"],
    ["too many headers", `${ok}${"a: b\r\n".repeat(300)}\r\n`, "HPE_HEADER_OVERFLOW"],
    ["a chunk's size in words", `${chunked}two\r\n`, "HPE_INVALID_CHUNK_SIZE"],
    ["a chunk's size with a sign", `${chunked}+2\r\nok\r\n`, "HPE_INVALID_CHUNK_SIZE"],
    ["a chunk's size of too many digits", `${chunked}${"1".repeat(13)}\r\n`, "HPE_INVALID_CHUNK_SIZE"],
    ["a chunk's size without a carriage return", `${chunked}2\nok\r\n`, "HPE_CR_EXPECTED"],
    ["a chunk longer than its size", `${chunked}2\r\nokay\r\n`, "HPE_STRICT"],
    ["a chunk's size that does not end", `${chunked}2;${"x".repeat(5_000)}`, "HPE_HEADER_OVERFLOW"],
    ["trailers that do not end", `${chunked}0\r\na: ${"b".repeat(70_000)}`, "HPE_HEADER_OVERFLOW"],
    ["a trailer with a NUL", `${chunked}0\r\na: \0\r\n\r\n`, "HPE_INVALID_HEADER_TOKEN"],
    ["something behind the end", `${ok}content-length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n\r\n`, "HPE_CLOSED_CONNECTION"],
  ])("%s", (_, wire, code) => {
    expect(() => inOnePiece(wire)).toThrow(expect.objectContaining({ code }));
    expect(() => parse([...bytes(wire)].map((byte) => Buffer.from([byte])))).toThrow(BadResponse);
  });
});

test("a sink that stops the parser hears nothing more", () => {
  for (const stopAt of ["head", "body"] as const) {
    const heard: string[] = [];
    const parser = new ResponseParser({
      onHead() {
        heard.push("head");
        if (stopAt === "head") parser.stop();
      },
      onBody() {
        heard.push("body");
        parser.stop();
      },
      onEnd: () => void heard.push("end"),
    });
    parser.begin({ toHead: false });
    parser.push(bytes("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"));
    expect(heard).toEqual(stopAt === "head" ? ["head"] : ["head", "body"]);
    expect(parser.finish()).toBe(true);
  }
});
