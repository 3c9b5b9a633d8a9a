import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { BodyOf, Contract, PathParams, QueryOf, ReplyKind, ResponseOf, RouteSchemas } from "@loom/api";
import { type AuditEvent, actorOf } from "./audit.ts";
import type { Call } from "./call.ts";
import { readInput } from "./input.ts";
import type { Action, Resource } from "./policy.ts";
import { COMMON_HEADERS, PAGE_HEADERS } from "./problem-reply.ts";
import type { Subject } from "./subject.ts";

/** What a handler is given. */
export type RouteRequest<Path extends string, Schemas extends RouteSchemas> = {
  readonly params: PathParams<Path>;
  readonly query: QueryOf<Schemas>;
  readonly body: BodyOf<Schemas>;
  readonly subject: Subject;
  readonly call: Call;
  /** Records that the subject has done something, with where the request came from. */
  readonly audit: (event: Omit<AuditEvent, "actor" | "origin">) => Promise<void> | undefined;
};

type Awaitable<Value> = Value | Promise<Value>;

/** What a route is about and what it does to it: without both, it does not compile. */
export type Access<Path extends string> = {
  readonly action: Action;
  /** `undefined` for what does not exist: the answer is 404 then. */
  readonly resource: Resource | ((params: PathParams<Path>, subject: Subject) => Awaitable<Resource | undefined>);
  /** Who may not do it is told that there is nothing, as for what does not exist. */
  readonly hidden?: true;
  /**
   * Its handler asks whether the person has signed in lately, and refuses where he has not. Said here, so that
   * `recent-walk.test.ts` can hold all routes to it, those that say so and those that do not.
   */
  readonly recent?: true;
};

/** A `json` route gives its document, a `text` or `html` route its text, in pieces where it may be long; an `event-stream` route writes on `call.outgoing`. */
type Handled<Schemas extends RouteSchemas, Kind extends ReplyKind> = {
  readonly json: ResponseOf<Schemas> | Reply<ResponseOf<Schemas>>;
  readonly text: string | Reply<string | Uint8Array | AsyncIterable<string>>;
  readonly html: string | Reply<string>;
  readonly "event-stream": undefined;
}[Kind];

/** A document with another status than 200, or with headers of its own. */
export class Reply<Body> {
  readonly body: Body;
  readonly status: number;
  readonly headers: ReplyHeaders;

  constructor(body: Body, options: { status?: number; headers?: ReplyHeaders }) {
    this.body = body;
    this.status = options.status ?? 200;
    this.headers = options.headers ?? {};
  }
}

type ReplyHeaders = { readonly [name: string]: string | readonly string[] };

/** A contract with what stands behind it. */
export type Route = {
  readonly contract: Contract;
  readonly action: Action;
  readonly hidden: boolean;
  readonly recent: boolean;
  resourceOf(params: PathParameters, subject: Subject): Awaitable<Resource | undefined>;
  /** Reads the input, runs the handler and writes the response. @throws ProblemError */
  answer(call: Call, params: PathParameters, query: URLSearchParams, subject: Subject): Promise<void>;
};

export type PathParameters = { readonly [name: string]: string };

export function route<Path extends string, Schemas extends RouteSchemas, Kind extends ReplyKind>(
  contract: Contract<Path, Schemas, Kind>,
  access: Access<Path>,
  handler: (request: RouteRequest<Path, Schemas>) => Promise<Handled<Schemas, Kind>> | Handled<Schemas, Kind>,
): Route {
  const { action, resource, hidden = false, recent = false } = access;
  // The router fills in exactly the parameters that stand in the path.
  const typed = (params: PathParameters) => params as unknown as PathParams<Path>;
  return {
    contract: contract as unknown as Contract,
    action,
    hidden,
    recent,
    resourceOf: (params, subject) => (typeof resource === "function" ? resource(typed(params), subject) : resource),
    async answer(call, params, query, subject) {
      const input = await readInput(contract, call.incoming, query);
      const result = await handler({ params: typed(params), ...input, subject, call, audit: auditorOf(call, subject) });
      if (contract.reply === "event-stream") return;
      const reply = await bannered(contract, subject, result instanceof Reply ? result : new Reply(result, {}));
      if (isInPieces(reply.body)) await sendInPieces(call, reply.headers, reply.body);
      else send(call, contract.reply, reply);
    },
  };
}

/** On every page: who acts in another's place sees it, and how to end it. */
async function bannered(
  contract: { readonly reply: ReplyKind },
  subject: Subject,
  reply: Reply<unknown>,
): Promise<Reply<unknown>> {
  if (contract.reply !== "html" || subject.type !== "user" || subject.impersonator === undefined) return reply;
  const { withActingBanner } = await import("./acting-banner.ts");
  return new Reply(withActingBanner(String(reply.body), subject.impersonator.name, subject.name), reply);
}

function auditorOf(
  call: Call,
  subject: Subject,
): (event: Omit<AuditEvent, "actor" | "origin">) => Promise<void> | undefined {
  return (event) => call.audit.record({ ...event, actor: actorOf(subject), origin: call.origin });
}

/** Has no body (RFC 9110, 15.4.5). */
const NOT_MODIFIED = 304;

const CONTENT_TYPES = {
  json: "application/json",
  text: "text/plain; charset=utf-8",
  html: "text/html; charset=utf-8",
} as const;

function send(call: Call, kind: keyof typeof CONTENT_TYPES, reply: Reply<unknown>): void {
  if (call.outgoing.destroyed) return;
  if (reply.status === NOT_MODIFIED) {
    call.outgoing.writeHead(NOT_MODIFIED, { ...COMMON_HEADERS, "x-request-id": call.id, ...reply.headers }).end();
    return;
  }
  const body = bodyOf(kind, reply.body);
  const headers: OutgoingHttpHeaders = {
    ...COMMON_HEADERS,
    ...(kind === "html" ? PAGE_HEADERS : {}),
    "content-type": CONTENT_TYPES[kind],
    "content-length": Buffer.byteLength(body),
    "x-request-id": call.id,
  };
  for (const [name, value] of Object.entries(reply.headers)) {
    headers[name] = typeof value === "string" ? value : [...value];
  }
  call.outgoing.writeHead(reply.status, headers);
  call.outgoing.end(body);
}

function isInPieces(body: unknown): body is AsyncIterable<string> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}

/**
 * One piece after the other, each when the client has taken those before it. What goes wrong before the first one is an
 * answer of its own; later the connection breaks off, so that nobody takes a part for the whole.
 */
async function sendInPieces(call: Call, headers: ReplyHeaders, pieces: AsyncIterable<string>): Promise<void> {
  const { outgoing } = call;
  let isBegun = false;
  const begin = (): void => {
    if (isBegun) return;
    isBegun = true;
    for (const [name, value] of Object.entries({ ...COMMON_HEADERS, "x-request-id": call.id, ...headers })) {
      outgoing.setHeader(name, value);
    }
  };
  for await (const piece of pieces) {
    if (outgoing.destroyed) return;
    begin();
    if (!outgoing.write(piece)) await untilDrained(outgoing);
  }
  begin();
  outgoing.end();
}

function untilDrained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off("drain", done);
      outgoing.off("close", done);
      resolve();
    };
    outgoing.once("drain", done);
    outgoing.once("close", done);
  });
}

function bodyOf(kind: keyof typeof CONTENT_TYPES, body: unknown): string | Uint8Array {
  if (kind === "json") return JSON.stringify(body);
  return body instanceof Uint8Array ? body : String(body);
}
