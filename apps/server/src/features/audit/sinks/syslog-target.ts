import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { connect as connectTcp, isIPv6, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { AuditEntry } from "../audit-entry.ts";
import type { SinkTarget } from "./sink-queue.ts";
import { type SyslogSender, syslogMessage } from "./syslog-message.ts";

export type SyslogAddress = {
  readonly transport: "udp" | "tcp" | "tls";
  readonly host: string;
  readonly port: number;
  /** PEM, in place of the authorities that Node trusts. */
  readonly ca?: string | undefined;
};

const CONNECT_MS = 5_000;
const WRITE_MS = 10_000;
/** Receivers have to take 480 bytes and should take 2,048 (RFC 5426, 3.2); what is larger goes without its facts. */
const MAX_DATAGRAM = 2_048;

export function syslogTarget(address: SyslogAddress, sender: SyslogSender): SinkTarget {
  return address.transport === "udp" ? udpTarget(address, sender) : streamTarget(address, sender);
}

function udpTarget({ host, port }: SyslogAddress, sender: SyslogSender): SinkTarget {
  let socket: UdpSocket | undefined;
  const open = (): UdpSocket => {
    const opened = createSocket(isIPv6(host) ? "udp6" : "udp4");
    opened.unref();
    opened.on("error", () => {
      opened.close();
      socket = undefined;
    });
    return opened;
  };
  return {
    name: "syslog",
    batch: 1,
    deliver: ([entry]) =>
      new Promise((resolve, reject) => {
        if (entry === undefined) return resolve();
        socket ??= open();
        socket.send(datagramOf(entry, sender), port, host, (error) => (error === null ? resolve() : reject(error)));
      }),
    async close() {
      socket?.close();
    },
  };
}

function datagramOf(entry: AuditEntry, sender: SyslogSender): Buffer {
  const whole = syslogMessage(entry, sender);
  if (whole.length <= MAX_DATAGRAM) return whole;
  const { before: _before, after: _after, details: _details, ...rest } = entry;
  return syslogMessage({ ...rest, details: { leftOut: "too large for a datagram" } }, sender);
}

/** Octet counting (RFC 6587, 3.4.1; RFC 5425, 4.3). What the kernel took when the connection broke may be lost. */
function streamTarget(address: SyslogAddress, sender: SyslogSender): SinkTarget {
  let socket: Socket | undefined;
  return {
    name: "syslog",
    batch: 64,
    async deliver(entries, signal) {
      if (socket === undefined || socket.destroyed || !socket.writable) socket = await connected(address, signal);
      await written(socket, Buffer.concat(entries.map((entry) => framed(syslogMessage(entry, sender)))));
    },
    async close() {
      const closing = socket;
      if (closing === undefined || closing.destroyed) return;
      await new Promise<void>((resolve) => {
        closing.once("close", () => resolve());
        closing.end();
        closing.setTimeout(CONNECT_MS, () => closing.destroy());
      });
    },
  };
}

function framed(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${message.length} `), message]);
}

function connected({ transport, host, port, ca }: SyslogAddress, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const isTls = transport === "tls";
    const servername = /^[\d.]+$|:/.test(host) ? {} : { servername: host };
    const opening = isTls
      ? connectTls({ host, port, minVersion: "TLSv1.2", ...servername, ...(ca === undefined ? {} : { ca }) })
      : connectTcp({ host, port });
    const fail = (error: Error): void => {
      opening.destroy();
      reject(error);
    };
    const abort = (): void => fail(new Error("the server stops"));
    const timer = setTimeout(() => fail(new Error(`${host}:${port} does not answer`)), CONNECT_MS);
    signal.addEventListener("abort", abort, { once: true });
    opening.once("error", fail);
    opening.once("close", () => fail(new Error("the connection was closed")));
    opening.once(isTls ? "secureConnect" : "connect", () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      // A receiver says nothing; what it says all the same is thrown away.
      opening.resume();
      opening.unref();
      resolve(opening);
    });
  });
}

function written(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error | null): void => {
      clearTimeout(timer);
      socket.off("close", closed);
      if (error === undefined || error === null) resolve();
      else reject(error);
    };
    const closed = (): void => done(new Error("the connection was closed"));
    const timer = setTimeout(() => socket.destroy(), WRITE_MS);
    socket.once("close", closed);
    socket.write(bytes, done);
  });
}
