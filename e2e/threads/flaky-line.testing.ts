import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A line to a server that can be cut, and that remembers what clients said on it. */
export type FlakyLine = {
  readonly url: string;
  /** From now on connections are taken and answered by nothing; those that are open break off. */
  cut(): void;
  mend(): void;
  /** Each request that clients sent, head and body, in the order in which they began. */
  requests(): readonly string[];
  [Symbol.asyncDispose](): Promise<void>;
};

const REQUEST_LINE = /(?=(?:GET|POST|PUT|PATCH|DELETE) \/\S* HTTP\/1\.1\r\n)/;

export async function startFlakyLine(serverUrl: string): Promise<FlakyLine> {
  const { hostname, port } = new URL(serverUrl);
  const said: Buffer[][] = [];
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((client) => {
    sockets.add(client);
    client.on("error", () => undefined).on("close", () => sockets.delete(client));
    if (isCut) return;
    const heard: Buffer[] = [];
    said.push(heard);
    const upstream = connect(Number(port), hostname);
    client.on("data", (chunk) => heard.push(chunk));
    client.pipe(upstream).pipe(client);
    upstream.on("error", () => client.destroy()).on("close", () => client.destroy());
    client.on("close", () => upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const hangUp = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut() {
      isCut = true;
      hangUp();
    },
    mend() {
      isCut = false;
      hangUp();
    },
    requests: () => said.flatMap((chunks) => Buffer.concat(chunks).toString("utf8").split(REQUEST_LINE)),
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      hangUp();
      await closed;
    },
  };
}
