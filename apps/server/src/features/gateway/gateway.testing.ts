import { type IncomingHttpHeaders, request } from "node:http";
import { connect } from "node:net";
import type { TokenScope } from "@loom/api";
import { type Reply, type ScriptedModel, startScriptedModel } from "@loom/testkit";
import { onTestFinished } from "vitest";
import { takeServerConfig } from "../../config.ts";
import type { Budgets, Credentials, LedgerEntry, Routing } from "../../gateway-types.ts";
import { AuditLine } from "../../kit/audit.ts";
import { authenticateOne, mintToken } from "../../kit/auth.ts";
import { networks } from "../../kit/client-address.ts";
import { createDispatcher } from "../../kit/dispatcher.ts";
import { createGrowingRedactor } from "../../kit/growing-redactor.ts";
import { type Listener, listen } from "../../kit/listener.ts";
import { type Log, SILENT_LOG } from "../../kit/log.ts";
import { createMetrics } from "../../kit/metrics.ts";
import { authorizeByScope } from "../../kit/policy.ts";
import type { Subject } from "../../kit/subject.ts";
import { secretsOfProviders } from "../../provider-config.ts";
import { createPrices } from "../ledger/prices.ts";
import { environmentCredentials } from "./environment-credentials.ts";
import { gateway } from "./index.ts";
import { straightRouting } from "./straight-routing.ts";

export const UPSTREAM_KEY = "sk-upstream-0123456789abcdef";

/** The environment in which all makers of models with a key are one scripted upstream. */
export function makersAt({ url }: { readonly url: string }): Record<string, string> {
  return {
    LOOM_SERVER_ANTHROPIC_API_KEY: UPSTREAM_KEY,
    LOOM_SERVER_ANTHROPIC_BASE_URL: url,
    LOOM_SERVER_OPENAI_API_KEY: UPSTREAM_KEY,
    LOOM_SERVER_OPENAI_BASE_URL: `${url}/v1`,
    LOOM_SERVER_GEMINI_API_KEY: UPSTREAM_KEY,
    LOOM_SERVER_GEMINI_BASE_URL: url,
  };
}

/** Variables that put the three makers of models at one scripted model. */
export function modelEnv(url: string): Readonly<Record<string, string>> {
  return {
    LOOM_SERVER_ANTHROPIC_API_KEY: "test-key",
    LOOM_SERVER_ANTHROPIC_BASE_URL: url,
    LOOM_SERVER_OPENAI_API_KEY: "test-key",
    LOOM_SERVER_OPENAI_BASE_URL: `${url}/v1`,
    LOOM_SERVER_GEMINI_API_KEY: "test-key",
    LOOM_SERVER_GEMINI_BASE_URL: url,
  };
}

/** A gateway in front of a scripted model, both closed with the test. `env`: variables besides, by the model's address. */
export async function startBeforeModel(
  script: readonly Reply[],
  {
    env = () => ({}),
    ...options
  }: Partial<Omit<TestGatewayOptions, "env">> & { readonly env?: (url: string) => TestGatewayOptions["env"] } = {},
): Promise<{ model: ScriptedModel; gateway: TestGateway }> {
  const model = await startScriptedModel({ script });
  onTestFinished(() => model.close());
  const gateway = await startGateway({ ...options, env: { ...modelEnv(model.url), ...env(model.url) } });
  onTestFinished(() => gateway.close());
  return { model, gateway };
}

export type TestGateway = {
  readonly url: string;
  readonly token: string;
  /** Rows of the ledger, oldest first; the array is live. */
  readonly entries: readonly LedgerEntry[];
  /** Resolves once there are so many rows. */
  waitForEntries(count: number): Promise<readonly LedgerEntry[]>;
  metrics(): Promise<string>;
  close(options?: { readonly drainMs?: number }): Promise<void>;
};

export type TestGatewayOptions = {
  /** Variables of the server's environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly pooled?: boolean;
  readonly routing?: Routing;
  readonly credentials?: Credentials;
  readonly budgets?: Budgets;
  readonly keepAliveMs?: number;
  readonly healthy?: () => boolean;
  /** Of the token; absent: it is the owner's. */
  readonly scopes?: readonly TokenScope[];
  /** The token is known when this has been resolved. */
  readonly knownAfter?: () => Promise<void>;
  /** The server's own prices are known when this has been resolved. */
  readonly pricesAfter?: () => Promise<void>;
  /** Who asks; default: the owner. */
  readonly subject?: () => string;
  /** Default: nobody listens. */
  readonly log?: Log;
};

/** A gateway on a real port, with a ledger that can be looked into. */
export async function startGateway(options: TestGatewayOptions): Promise<TestGateway> {
  const { routing, credentials, budgets, keepAliveMs, pooled = true, healthy = () => true, log = SILENT_LOG } = options;
  const config = takeServerConfig({ ...options.env });
  const token = mintToken();
  const keys = secretsOfProviders(config.providers);
  const metrics = createMetrics();
  const { redact, conceal } = createGrowingRedactor([...keys, token]);
  const kit = {
    log,
    metrics,
    audit: new AuditLine(),
    redact,
    database: () => Promise.reject(new Error("no database")),
  };
  const entries: LedgerEntry[] = [];
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  const feature = gateway.build(kit, {
    config,
    pooled,
    keepAliveMs,
    routing: routing ?? straightRouting(config),
    credentials: credentials ?? environmentCredentials(config.providers, conceal),
    budgets,
    ledger: {
      healthy,
      record(entry) {
        entries.push(entry);
        for (const waiter of waiting) if (entries.length >= waiter.count) waiter.resolve();
      },
    },
    prices: createPrices({
      store: { list: () => (options.pricesAfter ?? NOW)().then(() => []), put: refuse, retire: refuse },
      log: SILENT_LOG,
      keepsNothing: options.pricesAfter === undefined,
    }),
    originOf: ({ headers }) => `http://${headers.host}`,
    askerOf: ({ nodes }) => ({ subject: options.subject?.() ?? "owner", nodes }),
  });
  let stopping = false;
  const dispatcher = createDispatcher({
    routes: feature.routes,
    rawRoutes: feature.rawRoutes,
    hosts: { names: [], anyAddress: false, origins: [], ownOrigin: () => "" },
    authenticate: (given, call) => {
      const known = options.scopes === undefined ? authenticateOne(token)(given, call) : named(options.scopes);
      return options.knownAfter === undefined ? known : options.knownAfter().then(() => known);
    },
    authorize: authorizeByScope,
    audit: kit.audit,
    isTrustedProxy: networks([]),
    isStopping: () => stopping,
    log,
    metrics,
  });
  const listener: Listener = await listen({ host: "127.0.0.1", port: 0, handle: dispatcher.handle });
  return {
    url: listener.url,
    token: token.expose(),
    entries,
    async waitForEntries(count) {
      if (entries.length < count) await new Promise<void>((resolve) => waiting.push({ count, resolve }));
      return entries;
    },
    metrics: () => metrics.render(),
    async close({ drainMs = 0 } = {}) {
      stopping = true;
      await listener.close({ drainMs, abort: dispatcher.abortOpen });
      feature.services.close();
    },
  };
}

function named(scopes: readonly TokenScope[]): Subject {
  return { type: "token", id: "token-1", name: "test", scopes, nodes: [{ kind: "token", id: "token-1" }] };
}

const NOW = (): Promise<void> => Promise.resolve();

function refuse(): never {
  throw new Error("This test has no prices of its own.");
}

export type Answer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: Readonly<Record<string, string | undefined>>;
  readonly bytes: Buffer;
  readonly text: string;
  readonly complete: boolean;
};

export type Ask = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Objects are sent as JSON. */
  readonly body?: string | Uint8Array | object;
};

/** One HTTP exchange on a connection of its own. */
export function ask(url: string, options: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = send(url, options);
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", () => undefined);
      response.on("close", () => {
        const bytes = Buffer.concat(chunks);
        const { statusCode: status = 0, headers, trailers, complete } = response;
        resolve({ status, headers, trailers, bytes, text: bytes.toString("utf8"), complete });
      });
    });
  });
}

export type OpenAnswer = { readonly status: number; waitFor(text: string): Promise<void>; drop(): void; pause(): void };

/** Resolves at the head of an answer that may never end. */
export function open(url: string, options: Ask = {}): Promise<OpenAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = send(url, options);
    let received = "";
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      response.on("error", () => undefined);
      response.on("data", (chunk: Buffer) => {
        received += chunk.toString("latin1");
      });
      resolve({
        status: response.statusCode ?? 0,
        pause: () => response.pause(),
        drop: () => outgoing.destroy(),
        waitFor: (text) =>
          new Promise((found) => {
            const check = (): void => {
              if (!received.includes(text)) return;
              response.off("data", check);
              found();
            };
            response.on("data", check);
            check();
          }),
      });
    });
  });
}

/** Sends a request and does not wait; the function drops the connection. */
export function sendAndDrop(url: string, options: Ask = {}): () => void {
  const outgoing = send(url, options);
  outgoing.on("error", () => undefined);
  return () => void outgoing.destroy();
}

/** What a server answers to these bytes until it closes the connection, or until `until` has come. */
export function rawExchange(url: string, bytes: string, until?: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (until !== undefined && text.includes(until)) socket.destroy();
    });
    socket.on("close", () => resolve(text));
    socket.on("error", reject);
  });
}

function send(url: string, { method = "POST", headers = {}, body }: Ask) {
  const outgoing = request(url, { method, headers: { "content-type": "application/json", ...headers }, agent: false });
  if (body === undefined) outgoing.end();
  else outgoing.end(typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body));
  return outgoing;
}
