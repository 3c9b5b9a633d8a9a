import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

export type SigningProxy = { readonly url: string; close(): Promise<void> };

/** What stands in front of Vertex AI where Loom does not sign in itself: adds Google's access token to every request. */
export async function startSigningProxy(target: string, accessToken: string): Promise<SigningProxy> {
  const server = createServer((incoming, outgoing) => {
    const headers = { ...incoming.headers, authorization: `Bearer ${accessToken}` };
    const forwarded = request(target + incoming.url, { method: incoming.method, headers, agent: false }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    forwarded.on("error", () => outgoing.destroy());
    outgoing.on("close", () => forwarded.destroy());
    incoming.pipe(forwarded);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
}
