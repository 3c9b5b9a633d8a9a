import type { ClientRequest, IncomingMessage } from "node:http";
import { createConnections, http, https } from "@loom/api/http";
import {
  CONNECT_TIMED_OUT,
  type Transport,
  type UpstreamControl,
  type UpstreamHandler,
  type UpstreamRequest,
} from "./transport.ts";

/** Node's own client. For a server of one turn: it is in memory already, and each request costs a little more. */
export function createLightTransport({ connectMs }: { readonly connectMs: number }): Transport {
  const connections = createConnections();
  return {
    dispatch(origin, request, handler, patienceMs = connectMs) {
      const url = new URL(request.path, origin);
      const outgoing = open(url, request, connections.agentFor(url));
      new LightExchange(outgoing, handler, patienceMs).start(request.body);
    },
    close: () => connections.close(),
  };
}

function open(
  url: URL,
  request: UpstreamRequest,
  agent: ReturnType<ReturnType<typeof createConnections>["agentFor"]>,
): ClientRequest {
  const headers: Record<string, string[]> = {};
  for (let index = 0; index + 1 < request.headers.length; index += 2) {
    const name = (request.headers[index] ?? "").toLowerCase();
    const values = headers[name] ?? [];
    values.push(request.headers[index + 1] ?? "");
    headers[name] = values;
  }
  if (Buffer.isBuffer(request.body)) headers["content-length"] = [String(request.body.length)];
  const options = { method: request.method, path: request.path, headers, agent };
  return url.protocol === "https:" ? https().request(url, options) : http.request(url, options);
}

class LightExchange implements UpstreamControl {
  readonly #outgoing: ClientRequest;
  readonly #handler: UpstreamHandler;
  readonly #connectMs: number;
  #response: IncomingMessage | undefined;
  #ended = false;

  constructor(outgoing: ClientRequest, handler: UpstreamHandler, connectMs: number) {
    this.#outgoing = outgoing;
    this.#handler = handler;
    this.#connectMs = connectMs;
  }

  start(body: UpstreamRequest["body"]): void {
    const outgoing = this.#outgoing;
    const waiting = setTimeout(() => {
      this.abort(Object.assign(new Error("No connection in time."), { code: CONNECT_TIMED_OUT }));
    }, this.#connectMs);
    outgoing.once("socket", (socket) => {
      const connected = (): void => {
        clearTimeout(waiting);
        if (!this.#ended) this.#handler.onRequestStart(this);
      };
      if (!socket.connecting) connected();
      else socket.once("encrypted" in socket ? "secureConnect" : "connect", connected);
    });
    outgoing.once("response", (response) => this.#respond(response));
    outgoing.on("error", (error) => this.#fail(error));
    outgoing.once("close", () => {
      clearTimeout(waiting);
      this.#fail(Object.assign(new Error("The connection closed."), { code: "ECONNRESET" }));
    });
    if (body === null || Buffer.isBuffer(body)) outgoing.end(body ?? undefined);
    else body.pipe(outgoing);
  }

  pause(): void {
    this.#response?.pause();
  }

  resume(): void {
    this.#response?.resume();
  }

  abort(reason: Error): void {
    this.#fail(reason);
    this.#outgoing.destroy();
  }

  #respond(response: IncomingMessage): void {
    if (this.#ended) return;
    this.#response = response;
    this.#handler.onResponseStart(this, response.statusCode ?? 0, response.headers);
    response.on("data", (chunk: Buffer) => {
      if (!this.#ended) this.#handler.onResponseData(this, chunk);
    });
    response.once("end", () => {
      if (this.#ended) return;
      this.#ended = true;
      this.#handler.onResponseEnd(this, response.trailers);
    });
    response.on("error", (error) => this.#fail(error));
  }

  #fail(error: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#handler.onResponseError(this, error);
  }
}
