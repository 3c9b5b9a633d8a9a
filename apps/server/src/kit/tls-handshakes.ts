import type { Server, Socket } from "node:net";

/** Seconds without the end of a handshake after which a connection makes room for others. */
const IDLE_AFTER = 1;

/**
 * Connections that have not come as far as TLS. Node's server counts them among its connections and closes none of them,
 * and tells one whose handshake takes too long why, in TLS, which never arrives.
 */
export class Handshakes {
  /** With the time at which they came, in seconds of the process. */
  readonly #began = new Map<string, { readonly socket: Socket; readonly at: number }>();

  constructor(server: Server, { limitMs }: { readonly limitMs: number }) {
    server.on("connection", (socket: Socket) => {
      const key = keyOf(socket);
      this.#began.set(key, { socket, at: process.uptime() });
      const timer = setTimeout(() => {
        if (this.#began.get(key)?.socket === socket) socket.destroy();
      }, limitMs).unref();
      socket.once("close", () => {
        clearTimeout(timer);
        this.#began.delete(key);
      });
    });
    server.on("secureConnection", (socket: Socket) => this.#began.delete(keyOf(socket)));
  }

  closeIdle(): void {
    const before = process.uptime() - IDLE_AFTER;
    for (const { socket, at } of this.#began.values()) if (at < before) socket.destroy();
  }

  closeAll(): void {
    for (const { socket } of this.#began.values()) socket.destroy();
  }
}

/** Node does not say which connection a TLS socket is made of, but both know where it comes from. */
function keyOf({ remoteAddress = "", remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
