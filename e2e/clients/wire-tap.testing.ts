import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A wire with a microphone: passes every byte between its clients and a server on, and keeps a copy. */
export type WireTap = {
  readonly url: string;
  /** All that clients said. */
  said(): string;
  /** All that they heard. */
  heard(): string;
  /** Method and path of each request that was seen, e.g. `GET /v1/models`. */
  requests(): readonly string[];
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

const REQUEST_LINE = /((?:GET|POST) \/\S*) HTTP\/1\.1\r\n/g;

export async function startWireTap(serverUrl: string): Promise<WireTap> {
  const { hostname, port: serverPort } = new URL(serverUrl);
  const said: Buffer[] = [];
  const heard: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(serverPort), hostname);
    const join = (from: Socket, to: Socket, copy: Buffer[]) => {
      sockets.add(from);
      from.on("data", (chunk) => copy.push(chunk));
      from.pipe(to);
      // Whoever hangs up hangs up for both.
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    };
    join(client, upstream, said);
    join(upstream, client, heard);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    return closed;
  };
  const text = (chunks: readonly Buffer[]) => Buffer.concat(chunks).toString("latin1");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    said: () => text(said),
    heard: () => text(heard),
    requests: () => [...text(said).matchAll(REQUEST_LINE)].map(([, line = ""]) => line),
    close,
    [Symbol.asyncDispose]: close,
  };
}
