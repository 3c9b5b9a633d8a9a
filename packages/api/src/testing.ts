// A server that does exactly what a test says, on a free port.
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { LlmEvent, LlmRequest } from "@loom/core";

export type TestHttpServer = { readonly url: string; [Symbol.asyncDispose](): Promise<void> };

export async function serve(listener: RequestListener): Promise<TestHttpServer> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export const REQUEST: LlmRequest = {
  model: "default",
  system: "",
  messages: [{ role: "user", content: [{ type: "text", text: "Hello" }] }],
  tools: [],
  maxTokens: 10,
};

export async function collect(stream: AsyncIterable<readonly LlmEvent[]>): Promise<LlmEvent[]> {
  const events: LlmEvent[] = [];
  for await (const batch of stream) events.push(...batch);
  return events;
}
