// What the tests of the server share: a server in this process in front of a scripted model, and plain HTTP to it.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { type IncomingHttpHeaders, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLoomClient, type LoomClient, type LoomClientDeadlines } from "@loom/api/client";
import { Secret } from "@loom/config";
import type { LlmEvent, LlmRequest } from "@loom/core";
import { type Script, type ScriptedModel, startScriptedModel } from "@loom/testkit";
import { type RunningServer, type ServerOptions, startServer, takeServerConfig } from "./index.ts";

export const TOKEN = "lt_test-token-of-the-server-tests";

export type TestServerOptions = {
  readonly script?: Script;
  /** Added to the variables that point both providers at the scripted model. */
  readonly env?: NodeJS.ProcessEnv;
  readonly server?: Partial<ServerOptions>;
  readonly clientDeadlines?: Partial<LoomClientDeadlines>;
};

export type TestServer = {
  readonly model: ScriptedModel;
  readonly server: RunningServer;
  readonly client: LoomClient;
  [Symbol.asyncDispose](): Promise<void>;
};

/** Has a token of its own and, unless asked, no database. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const model = await startScriptedModel({ script: options.script ?? [] });
  const config = takeServerConfig({
    LOOM_SERVER_ANTHROPIC_API_KEY: "sk-ant-key-of-the-tests",
    LOOM_SERVER_ANTHROPIC_BASE_URL: model.url,
    LOOM_SERVER_OPENAI_API_KEY: "sk-key-of-the-tests",
    LOOM_SERVER_OPENAI_BASE_URL: `${model.url}/v1`,
    LOOM_SERVER_OPENAI_MODEL: "gpt-5.4",
    ...options.env,
  });
  const server = await startServer({ config, access: { type: "token", token: new Secret(TOKEN) }, ...options.server });
  const deadlines = options.clientDeadlines ?? {};
  const client = createLoomClient({ baseUrl: server.url, token: () => TOKEN, deadlines });
  return {
    model,
    server,
    client,
    async [Symbol.asyncDispose]() {
      client.close();
      await server.close();
      await model.close();
    },
  };
}

/** One that stays, with everything that such a server has; its token is `token`. */
export async function startOwnerServer(
  options: TestServerOptions = {},
): Promise<TestServer & { readonly token: string; readonly directory: string }> {
  const directory = await temporaryDirectory();
  const tokenFile = join(directory.path, "token");
  const access = { type: "owner", tokenFile, replace: false } as const;
  const test = await startTestServer({
    ...options,
    server: { ...options.server, access, dataDirectory: directory.path },
  });
  return {
    ...test,
    token: (await readFile(tokenFile, "utf8")).trim(),
    directory: directory.path,
    async [Symbol.asyncDispose]() {
      await test[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

export const REQUEST: LlmRequest = {
  model: "default",
  system: "You are a test.",
  messages: [{ role: "user", content: [{ type: "text", text: "Hello" }] }],
  tools: [],
  maxTokens: 1_000,
};

export async function collect(stream: AsyncIterable<readonly LlmEvent[]>): Promise<LlmEvent[]> {
  const events: LlmEvent[] = [];
  for await (const batch of stream) events.push(...batch);
  return events;
}

/** What the text deltas say together. */
export function textOf(events: readonly LlmEvent[]): string {
  return events.map((event) => (event.type === "text_delta" ? event.text : "")).join("");
}

export type Answer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
};

export type PlainRequest = {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string | Uint8Array;
};

/** One request on a connection of its own, with nothing added but the token (unless `headers` say otherwise). */
export function send(url: string, { method = "GET", path, headers, body }: PlainRequest): Promise<Answer> {
  const { hostname, port } = new URL(url);
  // Node leaves the body of a GET without a length.
  const isFramed = body === undefined || headers?.["transfer-encoding"] !== undefined;
  const length = isFramed ? {} : { "content-length": String(Buffer.byteLength(body)) };
  const allHeaders = { authorization: `Bearer ${TOKEN}`, ...length, ...headers };
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: hostname, port, method, path, headers: allHeaders, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString("utf8"),
        }),
      );
    });
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}

/** Bytes as they are on a socket of their own; gives what comes back until the server closes. */
export function sendRaw(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.end(text));
    let answer = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      answer += chunk;
    });
    socket.once("error", reject);
    socket.once("close", () => resolve(answer));
  });
}

export async function temporaryDirectory(): Promise<{ path: string; [Symbol.asyncDispose](): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "loom-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
