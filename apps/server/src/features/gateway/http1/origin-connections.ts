import type { OnReadOpts, Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { type Listed, LiveList } from "../../../kit/live-list.ts";
import { CONNECT_TIMED_OUT, type UpstreamHandler, type UpstreamRequest } from "../transport.ts";
import { Connection, type ConnectionKeeper, READ_MEMORY } from "./connection.ts";

const net = process.getBuiltinModule("node:net");

/** An idle connection is given up before most servers and middle boxes do it from their side. */
const IDLE_MS = 30_000;
/** Where the other side says how long it keeps one, so much earlier. */
const AHEAD_MS = 1_500;

/** The connections to one upstream: as many as there are requests, the one used last first. */
export class OriginConnections implements ConnectionKeeper {
  readonly #url: URL;
  readonly #now: () => number;
  readonly #all = new LiveList<Connection>();
  readonly #connecting = new LiveList<Opening>();
  readonly #idle: Connection[] = [];
  /** What a server gave to come back faster with. */
  #session: Buffer | undefined;
  #closed = false;

  /** `now`: monotonic milliseconds. */
  constructor(origin: string, now: () => number) {
    this.#url = new URL(origin);
    this.#now = now;
  }

  dispatch(request: UpstreamRequest, handler: UpstreamHandler, connectMs: number): void {
    const free = this.#takeIdle();
    if (free !== undefined) free.send(request, handler);
    else
      this.#connect(connectMs, (connection, error) => {
        if (connection === undefined) handler.onResponseError(NO_CONTROL, error);
        else connection.send(request, handler);
      });
  }

  onFree(connection: Connection, idleMs: number | undefined): void {
    const stays = idleMs === undefined ? IDLE_MS : Math.min(IDLE_MS, idleMs - AHEAD_MS);
    if (this.#closed || stays <= 0) {
      connection.destroy();
      return;
    }
    connection.idleUntil = this.#now() + stays;
    this.#idle.push(connection);
  }

  onGone(connection: Connection): void {
    this.#all.delete(connection);
    const index = this.#idle.lastIndexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
  }

  /** Gives up those that have been idle for long enough; whether any connection is left. */
  sweep(): boolean {
    const now = this.#now();
    for (const connection of [...this.#idle]) if (connection.idleUntil <= now) connection.destroy();
    return this.#all.size + this.#connecting.size > 0;
  }

  close(): void {
    this.#closed = true;
    for (const { socket } of this.#connecting.all()) socket.destroy();
    for (const connection of this.#all.all()) connection.destroy();
  }

  #takeIdle(): Connection | undefined {
    const now = this.#now();
    for (let next = this.#idle.pop(); next !== undefined; next = this.#idle.pop()) {
      if (next.isOpen && next.idleUntil > now) return next;
      next.destroy();
    }
    return undefined;
  }

  #connect(connectMs: number, done: (connection: Connection | undefined, error: Error) => void): void {
    let connection: Connection | undefined;
    let error: Error = closedEarly();
    const onread = {
      buffer: READ_MEMORY,
      callback: (length: number): boolean => {
        connection?.onRead(length);
        return true;
      },
    };
    const isSecure = this.#url.protocol === "https:";
    const socket = isSecure ? this.#openSecure(onread) : net.connect({ ...this.#address(80), noDelay: true, onread });
    const opening: Opening = { socket, place: -1 };
    this.#connecting.add(opening);
    const patience = setTimeout(() => {
      socket.destroy(Object.assign(new Error("No connection in time."), { code: CONNECT_TIMED_OUT }));
    }, connectMs);
    const onError = (cause: Error): void => {
      error = cause;
    };
    const onClose = (): void => {
      clearTimeout(patience);
      this.#connecting.delete(opening);
      done(undefined, error);
    };
    socket.on("error", onError).once("close", onClose);
    socket.once(isSecure ? "secureConnect" : "connect", () => {
      clearTimeout(patience);
      this.#connecting.delete(opening);
      socket.off("error", onError).off("close", onClose);
      connection = new Connection(socket, this.#url.host, this);
      this.#all.add(connection);
      done(connection, error);
    });
  }

  #openSecure(onread: OnReadOpts): Socket {
    const tls = process.getBuiltinModule("node:tls");
    const address = this.#address(443);
    const options: ConnectionOptions & { readonly onread: OnReadOpts } = {
      ...address,
      // A bare address is no name (RFC 6066, section 3).
      ...(net.isIP(address.host) === 0 ? { servername: address.host } : {}),
      ALPNProtocols: ["http/1.1"],
      ...(this.#session === undefined ? {} : { session: this.#session }),
      onread,
    };
    const socket = tls.connect(options);
    socket.setNoDelay(true);
    socket.on("session", (session) => {
      this.#session = session;
    });
    return socket;
  }

  #address(port: number): { readonly host: string; readonly port: number } {
    const { hostname } = this.#url;
    const host = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
    return { host, port: this.#url.port === "" ? port : Number(this.#url.port) };
  }
}

/** A socket that is not connected yet. */
type Opening = Listed & { readonly socket: Socket };

const NO_CONTROL = { pause() {}, resume() {}, abort() {} };

function closedEarly(): Error {
  return Object.assign(new Error("The connection was closed before it was open."), { code: "ECONNRESET" });
}
