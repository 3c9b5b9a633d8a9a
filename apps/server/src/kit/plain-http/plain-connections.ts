import type { Socket } from "node:net";
import { LiveList } from "../live-list.ts";
import { PlainConnection, type PlainKeeper } from "./plain-connection.ts";

export type PlainRequests = Pick<PlainKeeper, "accepts" | "handle">;

/** Milliseconds: see the listener. */
export type PlainLimits = { readonly headers: number; readonly request: number; readonly keepAlive: number };

const SWEEP_MS = 1_000;

/** The connections of a server that have brought nothing but plain requests so far. */
export class PlainConnections {
  readonly #connections = new LiveList<PlainConnection>();
  readonly #keeper: PlainKeeper;
  readonly #limits: PlainLimits;
  readonly #onSlow: (socket: Socket, options: { readonly canBeAnswered: boolean }) => void;
  #timer: NodeJS.Timeout | undefined;

  /** `toNode`: takes over a socket for Node's own server. `onSlow`: has to end one whose request does not come. */
  constructor(
    requests: PlainRequests,
    options: {
      readonly limits: PlainLimits;
      readonly toNode: (socket: Socket) => void;
      readonly onSlow: (socket: Socket, options: { readonly canBeAnswered: boolean }) => void;
    },
  ) {
    const { limits, toNode, onSlow } = options;
    this.#limits = limits;
    this.#onSlow = onSlow;
    this.#keeper = {
      ...requests,
      connection: {
        keepAlive: `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(limits.keepAlive / 1000)}\r\n`,
        close: "Connection: close\r\n",
      },
      handOver: (connection, socket) => {
        this.#connections.delete(connection);
        toNode(socket);
      },
      onGone: (connection) => this.#connections.delete(connection),
      now: () => process.uptime(),
    };
  }

  add(socket: Socket): void {
    this.#connections.add(new PlainConnection(socket, this.#keeper));
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  closeIdle(): void {
    for (const connection of this.#connections.all()) if (connection.isIdle) connection.socket.destroy();
  }

  closeAll(): void {
    for (const connection of this.#connections.all()) connection.socket.destroy();
  }

  #sweep(): void {
    const now = process.uptime();
    for (const connection of this.#connections.all()) {
      const { isIdle, isFresh, waitsForBody, canBeAnswered, socket } = connection;
      const waitedMs = 1000 * (now - connection.since);
      if (isIdle && !isFresh) {
        if (waitedMs > this.#limits.keepAlive) socket.destroy();
      } else if (isIdle ? waitedMs > this.#limits.headers : waitsForBody && waitedMs > this.#limits.request) {
        this.#onSlow(socket, { canBeAnswered: isIdle || canBeAnswered });
      }
    }
    if (this.#connections.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
