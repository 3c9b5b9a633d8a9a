import type { Socket } from "node:net";
import { LiveList } from "../live-list.ts";
import { PlainConnection, type PlainKeeper } from "./plain-connection.ts";

export type PlainRequests = Pick<PlainKeeper, "accepts" | "handle">;

/** Milliseconds: see the listener. */
export type PlainLimits = {
  readonly headers: number;
  readonly request: number;
  readonly rest: number;
  readonly keepAlive: number;
};

const SWEEP_MS = 1_000;

/** The connections of a server that have brought nothing but plain requests so far. */
export class PlainConnections {
  readonly #connections = new LiveList<PlainConnection>();
  readonly #keeper: PlainKeeper;
  readonly #limits: PlainLimits;
  readonly #refuse: (socket: Socket) => void;
  #timer: NodeJS.Timeout | undefined;

  /** `toNode`: takes over a socket for Node's own server. `refuse`: tells one that its request took too long, and ends it. */
  constructor(
    requests: PlainRequests,
    options: {
      readonly limits: PlainLimits;
      readonly toNode: (socket: Socket) => void;
      readonly refuse: (socket: Socket) => void;
    },
  ) {
    const { limits, toNode, refuse } = options;
    this.#limits = limits;
    this.#refuse = refuse;
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
    const now = process.uptime();
    for (const connection of this.#connections.all()) if (connection.isIdle(now)) connection.destroy();
  }

  closeAll(): void {
    for (const connection of this.#connections.all()) connection.destroy();
  }

  #sweep(): void {
    const now = process.uptime();
    const { headers, request, rest, keepAlive } = this.#limits;
    for (const connection of this.#connections.all()) {
      const { what, ms } = connection.waitsFor(now);
      if ((what === "request" && ms > headers) || (what === "body" && ms > request)) connection.giveUp(this.#refuse);
      else if ((what === "next" && ms > keepAlive) || (what === "rest" && ms > rest)) connection.destroy();
    }
    if (this.#connections.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
