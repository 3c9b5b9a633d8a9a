import type { Server as NodeServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { PROBLEM_MEDIA_TYPE, problemOf } from "@loom/api";
import { http, https } from "@loom/api/http";
import { PlainConnections, type PlainRequests } from "./plain-http/plain-connections.ts";
import { RequestMessage } from "./request-message.ts";
import { ResponseMessage } from "./response-message.ts";
import { Handshakes } from "./tls-handshakes.ts";

type Server = NodeServer<typeof RequestMessage, typeof ResponseMessage>;

export type ListenerOptions = {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  /** PEM. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  handle(incoming: RequestMessage, outgoing: ResponseMessage): void;
  /** Requests for whom Node's own parser and responses would be most of the work. Default: none. */
  readonly plain?: PlainRequests;
  /** Connections at once; whoever comes when there are so many is turned away, and idle ones make room. Default: any number. */
  readonly maxConnections?: number | undefined;
  /** Somebody was turned away. */
  readonly onFull?: () => void;
};

export type Listener = {
  /** With the port that it really has; no slash at the end. */
  readonly url: string;
  /**
   * Takes no new connection, waits up to `drainMs` for what is being answered, then calls `abort` and after a moment
   * cuts what is left.
   */
  close(options: { readonly drainMs: number; readonly abort: () => void }): Promise<void>;
};

/** Milliseconds. */
const LIMITS = {
  /** For the header section of a request, and for a TLS handshake. */
  headers: 15_000,
  /** For a whole request with its body. */
  request: 300_000,
  /** For the rest of a body behind an answer that did not wait for it. */
  rest: 15_000,
  /** An idle connection; longer than clients keep theirs, so that it is never the server that closes under a request. */
  keepAlive: 65_000,
  /** To accept those who stand at the door when the server is told to end. */
  letIn: 1_000,
  /** For the last event of an aborted stream to reach its client. */
  lastWords: 1_000,
};

const SWEEP_MS = 20;

/**
 * Of a body that comes ahead of its request's turn. Node stops to read a connection that has more, and with that to notice
 * that its client leaves, who may still wait for the answer before.
 */
const MAX_AHEAD_BYTES = 32 * 1024;

/** Of the event loop: one that began before, one to accept a connection (of which each turn takes one), one to read. */
const LAST_TURNS = 3;

/** Opens the port. Rejects with Node's own error, e.g. `EADDRINUSE`. */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const settings = {
    headersTimeout: LIMITS.headers,
    requestTimeout: LIMITS.request,
    keepAliveTimeout: LIMITS.keepAlive,
    noDelay: true,
    IncomingMessage: RequestMessage,
    ServerResponse: ResponseMessage,
    // Node's own refusal says nothing.
    requireHostHeader: false,
  };
  const handle: ListenerOptions["handle"] = (incoming, outgoing) => {
    // A connection that breaks ends its requests with an error, also those of which nobody reads any more.
    incoming.on("error", ignore);
    outgoing.once("finish", () => cutRest(incoming));
    if (outgoing.socket === null && mayHoldUp(incoming)) {
      refuseIn(outgoing, AHEAD);
      incoming.resume();
    } else if (incoming.headers.host === undefined && incoming.httpVersion !== "1.0") refuseIn(outgoing, NO_HOST);
    else options.handle(incoming, outgoing);
  };
  const server: Server =
    options.tls === undefined
      ? http.createServer(settings, handle)
      : https().createServer({ ...settings, ...options.tls }, handle);
  server.on("clientError", refuse);
  server.on("checkExpectation", (_incoming: RequestMessage, outgoing: ResponseMessage) =>
    refuseIn(outgoing, UNKNOWN_EXPECTATION),
  );
  const plain =
    options.plain &&
    letPlainFirst(server, options.tls === undefined ? "connection" : "secureConnection", options.plain);
  const handshakes = options.tls && new Handshakes(server, { limitMs: LIMITS.headers });
  if (options.maxConnections !== undefined) server.maxConnections = options.maxConnections;
  const closeIdle = (): void => {
    server.closeIdleConnections();
    plain?.closeIdle();
    handshakes?.closeIdle();
  };
  const closeAll = (): void => {
    server.closeAllConnections();
    plain?.closeAll();
    handshakes?.closeAll();
  };
  server.on("drop", () => {
    closeIdle();
    options.onFull?.();
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, () => {
      server.removeListener("error", reject);
      // Whatever can go wrong with a listening socket later on (out of descriptors) is over when it is over.
      server.on("error", () => {});
      const scheme = options.tls === undefined ? "http" : "https";
      const { port } = server.address() as AddressInfo;
      const host = options.host.includes(":") ? `[${options.host}]` : options.host;
      resolve({
        url: `${scheme}://${host}:${port}`,
        close: (closing) => drain(server, { closeIdle, closeAll }, closing),
      });
    });
  });
}

/** Node's server gets a connection when something comes on it that is not plain. */
function letPlainFirst(
  server: Server,
  event: "connection" | "secureConnection",
  requests: PlainRequests,
): PlainConnections {
  const byNode = server.listeners(event);
  const plain = new PlainConnections(requests, {
    limits: LIMITS,
    toNode(socket) {
      for (const take of byNode) take.call(server, socket);
    },
    refuse: (socket) =>
      refuse(Object.assign(new Error("The request took too long."), { code: "ERR_HTTP_REQUEST_TIMEOUT" }), socket),
  });
  server.removeAllListeners(event);
  server.on(event, (socket: Socket) => plain.add(socket));
  return plain;
}

async function drain(
  server: Server,
  { closeIdle, closeAll }: Readonly<Record<"closeIdle" | "closeAll", () => void>>,
  { drainMs, abort }: { drainMs: number; abort: () => void },
): Promise<void> {
  await letIn(server);
  return new Promise((resolve) => {
    // A connection is idle as soon as its request has been answered, and would be kept for the next one.
    const sweep = setInterval(closeIdle, SWEEP_MS);
    let deadline: NodeJS.Timeout | undefined;
    server.close(() => {
      clearInterval(sweep);
      clearTimeout(deadline);
      resolve(saidByAll());
    });
    closeIdle();
    const cut = (): void => {
      abort();
      closeIdle();
      deadline = setTimeout(closeAll, LIMITS.lastWords);
    };
    if (drainMs <= 0) cut();
    else deadline = setTimeout(cut, drainMs);
  });
}

/** A socket says that it is closed a turn after its server says that it has none: whoever waits for that hears it first. */
async function saidByAll(): Promise<void> {
  for (let turn = 0; turn < LAST_TURNS; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Whoever has come already is let in: connections that the kernel still holds would be reset. */
async function letIn(server: Server): Promise<void> {
  const giveUpAt = Date.now() + LIMITS.letIn;
  let quietTurns = 0;
  const count = (): void => {
    quietTurns = 0;
  };
  server.on("connection", count);
  while (quietTurns < LAST_TURNS && Date.now() < giveUpAt) {
    quietTurns += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  server.off("connection", count);
}

/** The answer is sent: a body that is still to come is not waited for as long as one that is wanted. */
function cutRest(incoming: RequestMessage): void {
  if (incoming.complete) return;
  const { socket } = incoming;
  const timer = setTimeout(() => {
    if (!incoming.complete) socket.destroy();
  }, LIMITS.rest).unref();
  incoming.once("close", () => clearTimeout(timer));
}

function mayHoldUp({ headers }: RequestMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > MAX_AHEAD_BYTES;
}

function ignore(): void {}

/** What is not even HTTP, or too slow, or has too many headers. */
function refuse(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const refusal = refusalFor(error.code ?? "");
  const [status, phrase] = refusal;
  const body = bodyOf(refusal);
  socket.end(
    `HTTP/1.1 ${status} ${phrase}\r\ncontent-type: ${PROBLEM_MEDIA_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

/** A request that Node could read, and that is none. */
function refuseIn(outgoing: ResponseMessage, refusal: Refusal): void {
  const [status, phrase] = refusal;
  const body = bodyOf(refusal);
  outgoing.writeHead(status, phrase, {
    "content-type": PROBLEM_MEDIA_TYPE,
    "content-length": Buffer.byteLength(body),
    connection: "close",
  });
  outgoing.end(body);
}

/** Status, its name, and a sentence. */
type Refusal = readonly [number, string, string];

const NO_HOST: Refusal = [400, "Bad Request", "The request has no Host header, which HTTP/1.1 asks for."];
const AHEAD: Refusal = [
  400,
  "Bad Request",
  "The request came before the one ahead of it was answered, with a body that is too long for that: send it again.",
];
const UNKNOWN_EXPECTATION: Refusal = [
  417,
  "Expectation Failed",
  "The Expect header asks for something that this server does not know: it knows 100-continue.",
];

function bodyOf([status, title, detail]: Refusal): string {
  return JSON.stringify({ ...problemOf("invalid_input", { detail }), status, title });
}

function refusalFor(code: string): Refusal {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return [431, "Request Header Fields Too Large", "The header section of the request is larger than 16 KiB."];
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return [408, "Request Timeout", "The request took too long to arrive."];
    default:
      return [400, "Bad Request", "The request is not valid HTTP/1.1."];
  }
}
