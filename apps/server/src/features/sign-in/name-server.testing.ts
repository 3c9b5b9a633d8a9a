// A small name server on the loopback interface (RFC 1035, over UDP) that knows TXT records and nothing else.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

export type TestNameServer = {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  /** By name: each record is one or several pieces. Other names are not there. */
  readonly records: Map<string, readonly (readonly string[])[]>;
  /** What was asked for, oldest first. */
  readonly asked: readonly string[];
  /** Says that it has failed (SERVFAIL), whatever is asked. */
  broken: boolean;
  [Symbol.asyncDispose](): Promise<void>;
};

const HEADER_BYTES = 12;
const TXT = 16;
const IN = 1;
const FAILED = 2;
const NO_SUCH_NAME = 3;

export async function startNameServer(): Promise<TestNameServer> {
  const socket = createSocket("udp4");
  const records: TestNameServer["records"] = new Map();
  const asked: string[] = [];
  const server = {
    address: "",
    records,
    asked,
    broken: false,
    async [Symbol.asyncDispose]() {
      socket.close();
      await once(socket, "close");
    },
  };
  socket.on("message", (query, { address, port }) => {
    const { name, end } = nameIn(query);
    asked.push(name);
    const found = records.get(name.toLowerCase());
    const code = server.broken ? FAILED : found === undefined ? NO_SUCH_NAME : 0;
    socket.send(answerTo(query.subarray(0, end), code, code === 0 ? (found ?? []) : []), port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  server.address = `127.0.0.1:${(socket.address() as AddressInfo).port}`;
  return server;
}

/** The one question, and where it ends in the message. */
function nameIn(query: Buffer): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join("."), end: at + 5 };
}

function answerTo(query: Buffer, code: number, found: readonly (readonly string[])[]): Buffer {
  const message = Buffer.from(query);
  // An answer, with authority, to who wanted recursion and gets it.
  message.writeUInt16BE(0x8580 | code, 2);
  message.writeUInt16BE(found.length, 6);
  message.writeUInt32BE(0, 8);
  return Buffer.concat([message, ...found.map(record)]);
}

function record(pieces: readonly string[]): Buffer {
  const data = Buffer.concat(
    pieces.map((piece) => Buffer.concat([Buffer.from([piece.length]), Buffer.from(piece, "latin1")])),
  );
  const head = Buffer.alloc(12);
  // The name that was asked for (RFC 1035, 4.1.4).
  head.writeUInt16BE(0xc000 | HEADER_BYTES, 0);
  head.writeUInt16BE(TXT, 2);
  head.writeUInt16BE(IN, 4);
  head.writeUInt32BE(60, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}
