import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

export type SeenRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
};

/** A provider of which only the bytes count. */
export type RawProvider = { readonly url: string; readonly seen: readonly SeenRequest[]; close(): Promise<void> };

// Odd spellings and things that no version of today knows: all of it has to arrive as it is.
const ANTHROPIC_STREAM = `event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-5","content":[],"stop_reason":null,"usage":{"input_tokens":7,"output_tokens":1}, "later":1.50}}

: a comment

event: an_event_of_a_later_version
data: {"type" : "an_event_of_a_later_version","x":[1.0,"\\u00e4ä"]}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}

event: message_stop
data: {"type":"message_stop"}

`;
const RESPONSES_STREAM = `event: response.of_a_later_version
data: {"type":"response.of_a_later_version","x":1.0}

event: response.completed
data: {"type":"response.completed","response":{"id":"resp_1","object":"response","status":"completed","output":[],"usage":{"input_tokens":7,"output_tokens":9,"total_tokens":16}, "later":1.50}}

`;
const GEMINI_ANSWER =
  '{"candidates":[{"content":{"role":"model","parts":[{"text":"Hi","later":1.0}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":9}}';

const WHOLE_ANSWERS = {
  anthropic:
    '{"id":"msg_1","type":"message", "role":"assistant","content":[{"type":"an_event_of_a_later_version","x":1.0}],"usage":{"input_tokens":7,"output_tokens":9}}\n',
  responses:
    '{"id":"resp_1", "object":"response","output":[],"later":1.50,"usage":{"input_tokens":7,"output_tokens":9}}',
  gemini: GEMINI_ANSWER,
};
const STREAMS = { anthropic: ANTHROPIC_STREAM, responses: RESPONSES_STREAM, gemini: `data: ${GEMINI_ANSWER}\r\n\r\n` };

export async function startRawProvider(): Promise<RawProvider> {
  const seen: SeenRequest[] = [];
  const server = createServer(async (incoming, outgoing) => {
    const parts: Buffer[] = [];
    for await (const part of incoming) parts.push(part);
    const { method = "", url: path = "", headers } = incoming;
    const body = Buffer.concat(parts);
    seen.push({ method, path, headers, body });
    const dialect = path.includes("/messages") ? "anthropic" : path.includes("/responses") ? "responses" : "gemini";
    const stream = path.includes("alt=sse") || body.includes('"stream":true');
    outgoing.writeHead(200, { "content-type": stream ? "text/event-stream" : "application/json" });
    outgoing.end((stream ? STREAMS : WHOLE_ANSWERS)[dialect]);
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
