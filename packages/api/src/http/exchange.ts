import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import type { LookupFunction, Socket } from "node:net";
import { codeOf, connectionError, ExchangeError } from "./exchange-error.ts";
import { http, https } from "./node-http.ts";

/** Milliseconds. */
export type ExchangeDeadlines = {
  /** Name resolution, TCP and TLS. */
  readonly connectMs: number;
  /** From the connection to the response's header section, sending the body included. */
  readonly headersMs: number;
};

export type ExchangeRequest = {
  readonly url: URL;
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly headers: { readonly [name: string]: string };
  readonly body?: string | Uint8Array;
  readonly connections: Connections;
  readonly deadlines: ExchangeDeadlines;
  readonly signal?: AbortSignal | undefined;
  /** In place of the system's resolver. Not asked about an address, nor for a connection that was kept. */
  readonly lookup?: LookupFunction | undefined;
};

/** Keep-alive connections, shared by the exchanges of one client. Idle ones keep no process alive. */
export type Connections = {
  agentFor(url: URL): Agent;
  close(): void;
};

/** Idle connections are given up before most servers and middle boxes do it from their side. */
const IDLE_MS = 30_000;
const MAX_IDLE = 64;

export function createConnections(): Connections {
  const options = { keepAlive: true, maxFreeSockets: MAX_IDLE, timeout: IDLE_MS, noDelay: true };
  let plain: Agent | undefined;
  let secure: Agent | undefined;
  return {
    agentFor(url) {
      if (url.protocol === "https:") {
        secure ??= new (https().Agent)(options);
        return secure;
      }
      plain ??= new http.Agent(options);
      return plain;
    },
    close() {
      plain?.destroy();
      secure?.destroy();
    },
  };
}

/**
 * Sends a request and waits for the response's header section; the body is the caller's to read or destroy. Follows no
 * redirect and uses no proxy. Sent twice only where a kept connection turned out to be closed before any answer.
 * @throws ExchangeError
 */
export async function exchange(request: ExchangeRequest): Promise<IncomingMessage> {
  const first = await attempt(request);
  if (first.ok) return first.response;
  if (!first.staleConnection) throw first.error;
  const second = await attempt(request);
  if (second.ok) return second.response;
  throw second.error;
}

type Attempt =
  | { readonly ok: true; readonly response: IncomingMessage }
  | { readonly ok: false; readonly error: ExchangeError; readonly staleConnection: boolean };

function attempt(request: ExchangeRequest): Promise<Attempt> {
  const { url, signal, deadlines } = request;
  if (signal?.aborted === true) return Promise.resolve(failed(cancelled(), false));
  return new Promise((resolve) => {
    const outgoing = open(request);
    const giveUp = (error: ExchangeError): void => {
      settle(failed(error, false));
      outgoing.destroy();
    };
    let deadline = setTimeout(
      () => giveUp(new ExchangeError("timeout", `did not accept a connection within ${seconds(deadlines.connectMs)}`)),
      deadlines.connectMs,
    );
    const onAbort = (): void => giveUp(cancelled());
    const settle = (result: Attempt): void => {
      clearTimeout(deadline);
      signal?.removeEventListener("abort", onAbort);
      resolve(result);
    };
    signal?.addEventListener("abort", onAbort, { once: true });

    const onConnected = (): void => {
      clearTimeout(deadline);
      deadline = setTimeout(
        () => giveUp(new ExchangeError("timeout", `did not answer within ${seconds(deadlines.headersMs)}`)),
        deadlines.headersMs,
      );
    };
    outgoing.once("socket", (socket: Socket) => {
      if (!socket.connecting) onConnected();
      else socket.once(url.protocol === "https:" ? "secureConnect" : "connect", onConnected);
    });
    outgoing.once("response", (response) => settle({ ok: true, response }));
    // Stays on: a connection can also break after the response has begun, and the response reports that itself.
    outgoing.on("error", (error) => settle(failed(connectionError(error), isStale(outgoing, error))));
    outgoing.end(request.body);
  });
}

function open(request: ExchangeRequest): ClientRequest {
  const { url, body, connections, lookup } = request;
  const headers: Record<string, string> = { ...request.headers };
  if (body !== undefined) headers["content-length"] = String(Buffer.byteLength(body));
  const options: RequestOptions = {
    method: request.method,
    headers,
    agent: connections.agentFor(url),
    ...(lookup === undefined ? {} : { lookup }),
  };
  return url.protocol === "https:" ? https().request(url, options) : http.request(url, options);
}

/** The other side closed an idle connection while we were about to use it: it has not seen the request. */
function isStale(outgoing: ClientRequest, error: Error): boolean {
  const code = codeOf(error);
  return outgoing.reusedSocket && (code === "ECONNRESET" || code === "EPIPE");
}

function failed(error: ExchangeError, staleConnection: boolean): Attempt {
  return { ok: false, error, staleConnection };
}

function cancelled(): ExchangeError {
  return new ExchangeError("cancelled", "was asked to stop");
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}
