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

/**
 * How long bytes may wait for more, once some have just been handed on. A provider that streams quickly sends hundreds of
 * chunks a second, and each one would cost a decoding, a write, a read and a line on the screen; nobody sees 4 ms.
 */
const GATHER_MS = 4;

class LightExchange implements UpstreamControl {
  readonly #outgoing: ClientRequest;
  readonly #handler: UpstreamHandler;
  readonly #connectMs: number;
  #response: IncomingMessage | undefined;
  #gathered: Buffer[] = [];
  /** Set while bytes are gathered: something was handed on less than `GATHER_MS` ago. */
  #gathering: NodeJS.Timeout | undefined;
  #paused = false;
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
    this.#paused = true;
    this.#response?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#response?.resume();
    this.#gathering ??= setTimeout(this.#handOn, GATHER_MS);
  }

  abort(reason: Error): void {
    this.#gathered = [];
    this.#fail(reason);
    this.#outgoing.destroy();
  }

  #respond(response: IncomingMessage): void {
    if (this.#ended) return;
    this.#response = response;
    this.#handler.onResponseStart(this, response.statusCode ?? 0, response.headers);
    response.on("data", (chunk: Buffer) => {
      if (this.#ended) return;
      this.#gathered.push(chunk);
      if (this.#gathering === undefined) this.#handOn();
    });
    response.once("end", () => {
      this.#flush();
      if (this.#ended) return;
      this.#end();
      this.#handler.onResponseEnd(this, response.trailers);
    });
    response.on("error", (error) => this.#fail(error));
  }

  readonly #handOn = (): void => {
    if (this.#gathered.length === 0 || this.#paused) {
      this.#gathering = undefined;
      return;
    }
    this.#gathering = this.#gathering?.refresh() ?? setTimeout(this.#handOn, GATHER_MS);
    this.#flush();
  };

  #flush(): void {
    const [first] = this.#gathered;
    if (first === undefined || this.#ended) return;
    const bytes = this.#gathered.length === 1 ? first : Buffer.concat(this.#gathered);
    this.#gathered = [];
    this.#handler.onResponseData(this, bytes);
  }

  #fail(error: Error): void {
    this.#flush();
    if (this.#ended) return;
    this.#end();
    this.#handler.onResponseError(this, error);
  }

  #end(): void {
    this.#ended = true;
    this.#gathered = [];
    clearTimeout(this.#gathering);
  }
}
