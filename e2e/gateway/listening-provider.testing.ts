import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A provider that does with each request what a test says, once its body is there. */
export async function startListeningProvider(
  answer: (incoming: IncomingMessage, body: Buffer, outgoing: ServerResponse) => void,
): Promise<{ readonly url: string; [Symbol.dispose](): void }> {
  const server = createServer(async (incoming, outgoing) => {
    const parts: Buffer[] = [];
    for await (const part of incoming) parts.push(part);
    answer(incoming, Buffer.concat(parts), outgoing);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.dispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}
