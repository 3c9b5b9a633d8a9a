import type { IncomingMessage } from "node:http";
import type { Connections } from "../http/exchange.ts";
import { createConnections, exchange } from "../http/exchange.ts";
import { responseText } from "../http/response-text.ts";
import { apiError, errorFromResponse, notLoom } from "./loom-api-error.ts";

/** Milliseconds. */
export type RequestDeadlines = {
  readonly connectMs: number;
  /** Between two chunks. */
  readonly gapMs: number;
  /** For an answer that comes in one piece. */
  readonly completeMs: number;
  /** Until an answer to a `GET` begins, for which nothing has to be sent first. Default `completeMs`. */
  readonly beginMs?: number;
};

/** What every request to one server needs. */
export type ClientContext = {
  readonly server: string;
  readonly connections: Connections;
  readonly deadlines: RequestDeadlines;
  readonly token: () => string | Promise<string>;
};

export type ClientCall = {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON where it is text. */
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal | undefined;
};

/** A little more than the largest document that a server sends. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
const MAX_PROBLEM_BYTES = 64 * 1024;
const PROBLEM_TOTAL_MS = 10_000;

/** The part that does not depend on what is asked. `baseUrl`: a path in it is kept. */
export function clientContext({
  baseUrl,
  token,
}: {
  readonly baseUrl: string;
  readonly token: () => string | Promise<string>;
}): Omit<ClientContext, "deadlines"> {
  const base = new URL(baseUrl);
  const server = `${base.origin}${base.pathname.replace(/\/+$/, "")}`;
  return { server, connections: createConnections(), token };
}

/** The answer's document. @throws LoomApiError */
export async function requestJson(context: ClientContext, call: ClientCall): Promise<unknown> {
  return parseJson(await requestText(context, call, "application/json"), context.server);
}

/** The answer as text. @throws LoomApiError */
export async function requestText(context: ClientContext, call: ClientCall, accept: string): Promise<string> {
  const { server, deadlines } = context;
  try {
    const { completeMs, beginMs = completeMs } = deadlines;
    const response = await send(context, call, accept, call.method === "GET" ? beginMs : completeMs);
    return await responseText(response, {
      maxBytes: MAX_ANSWER_BYTES,
      larger: "fail",
      gapMs: deadlines.gapMs,
      totalMs: completeMs,
      signal: call.signal,
    });
  } catch (error) {
    throw apiError(error, server);
  }
}

/** Gives a response with a 2xx status, or throws what the server said instead. */
export async function send(
  context: ClientContext,
  call: ClientCall,
  accept: string,
  headersMs: number,
): Promise<IncomingMessage> {
  const { server, connections, deadlines } = context;
  const response = await exchange({
    url: new URL(`${server}${call.path}`),
    method: call.method,
    headers: {
      accept,
      authorization: `Bearer ${await context.token()}`,
      ...(call.body === undefined ? {} : { "content-type": mediaTypeOf(call.body) }),
      ...call.headers,
    },
    ...(call.body === undefined ? {} : { body: call.body }),
    connections,
    deadlines: { connectMs: deadlines.connectMs, headersMs },
    signal: call.signal,
  });
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return response;
  const body = await responseText(response, {
    maxBytes: MAX_PROBLEM_BYTES,
    larger: "cut",
    gapMs: PROBLEM_TOTAL_MS,
    totalMs: PROBLEM_TOTAL_MS,
    signal: call.signal,
  });
  throw errorFromResponse({ status, contentType: contentType(response), body }, server);
}

function mediaTypeOf(body: string | Uint8Array): string {
  return typeof body === "string" ? "application/json" : "application/octet-stream";
}

/** A query of what is not undefined. */
export function queryText(query: { readonly [name: string]: string | number | boolean | undefined }): string {
  const text = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) text.set(name, String(value));
  return text.toString();
}

export function contentType(response: IncomingMessage): string {
  return response.headers["content-type"] ?? "";
}

function parseJson(text: string, server: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw notLoom(server, "answered with something that is no JSON");
  }
}
