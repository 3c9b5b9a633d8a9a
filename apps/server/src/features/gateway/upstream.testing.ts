import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type SeenRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
};

export type TestUpstream = {
  readonly url: string;
  readonly seen: readonly SeenRequest[];
  close(): Promise<void>;
};

/** A provider that does with each request exactly what a test says. */
export async function startUpstream(
  answer: (response: ServerResponse, request: SeenRequest, number: number) => void,
): Promise<TestUpstream> {
  const seen: SeenRequest[] = [];
  const server = createServer((incoming, response) => {
    response.on("error", () => undefined);
    // One that does not come whole is nobody's to answer.
    const whole = read(incoming).catch(() => undefined);
    void whole.then((body) => {
      if (body === undefined) return;
      const request = { method: incoming.method ?? "", path: incoming.url ?? "", headers: incoming.headers, body };
      seen.push(request);
      answer(response, request, seen.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
}

async function read(incoming: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part);
  return Buffer.concat(parts);
}
