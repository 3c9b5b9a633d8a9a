import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createModelHandler } from "./model-handler.ts";
import type { Script } from "./reply.ts";
import { type RecordedRequest, RequestLog } from "./request-log.ts";

export type ScriptedModelOptions = {
  readonly script: Script;
  /** 0 or absent picks a free one. */
  readonly port?: number;
  /** The API key to insist on; by default any key will do, but there must be one. */
  readonly expectedKey?: string;
  /** The models there are; any other is answered with 404. By default every name is known. */
  readonly models?: readonly string[];
  /**
   * Requests for a commit message (no tools, and a system prompt that speaks of a commit message) are answered from the
   * diff they carry and do not reach the script. `false` sends them to the script like any other.
   */
  readonly answerCommitMessages?: boolean;
};

/** A model provider on the loopback interface that says what a script tells it. */
export type ScriptedModel = {
  /** Without a trailing slash or `/v1`, e.g. `http://127.0.0.1:41234`. */
  readonly url: string;
  readonly port: number;
  /** Every request, oldest first; the array is live. */
  readonly requests: readonly RecordedRequest[];
  /** Drops what was recorded so far, and its memory: a long run of many would hold every body. Nobody may be waiting. */
  forget(): void;
  /** The next request to come, counted from this call. */
  nextRequest(): Promise<RecordedRequest>;
  /** Resolves once `count` requests have come in all. */
  waitForRequests(count: number): Promise<readonly RecordedRequest[]>;
  /** Drops every connection and refuses new ones, as a provider that is down. */
  refuseConnections(): Promise<void>;
  /** Listens again on the same port. */
  acceptConnections(): Promise<void>;
  /** Ends at once, whatever is in flight. Can be called twice. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

const HOST = "127.0.0.1";

/**
 * Starts a real HTTP server that speaks Anthropic Messages (`/v1/messages`), OpenAI Chat Completions
 * (`/v1/chat/completions`), OpenAI Responses (`/v1/responses`) and Gemini (`/v1beta/models/{model}:generateContent`),
 * streaming or not. Fails if the port is taken.
 */
export async function startScriptedModel(options: ScriptedModelOptions): Promise<ScriptedModel> {
  const log = new RequestLog();
  const server = createServer(createModelHandler(options, log));
  // A client may think, or hang on purpose, for as long as it likes; and an idle connection kept by a client's pool
  // must not be closed in the moment of its reuse.
  server.requestTimeout = 0;
  server.headersTimeout = 0;
  server.keepAliveTimeout = 0;

  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, HOST, () => {
        server.off("error", reject);
        resolve();
      });
    });
  const stop = async () => {
    if (!server.listening) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  };
  const close = async () => {
    log.close();
    await stop();
  };

  await listen(options.port ?? 0);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${HOST}:${port}`,
    port,
    requests: log.requests,
    forget: () => log.forget(),
    async nextRequest() {
      const count = log.requests.length + 1;
      const requests = await log.waitFor(count);
      return requests[count - 1] as RecordedRequest;
    },
    waitForRequests: (count) => log.waitFor(count),
    refuseConnections: stop,
    acceptConnections: () => listen(port),
    close,
    [Symbol.asyncDispose]: close,
  };
}
