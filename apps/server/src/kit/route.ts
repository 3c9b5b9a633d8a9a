import type { BodyOf, Contract, PathParams, QueryOf, ReplyKind, ResponseOf, RouteSchemas } from "@loom/api";
import type { Action, Resource, Subject } from "./auth.ts";
import type { Call } from "./call.ts";
import { readInput } from "./input.ts";
import { COMMON_HEADERS } from "./problem-reply.ts";

/** What a handler is given. */
export type RouteRequest<Path extends string, Schemas extends RouteSchemas> = {
  readonly params: PathParams<Path>;
  readonly query: QueryOf<Schemas>;
  readonly body: BodyOf<Schemas>;
  readonly subject: Subject;
  readonly call: Call;
};

/** What a route is about and what it does to it: without both, it does not compile. */
export type Access<Path extends string> = {
  readonly action: Action;
  readonly resource: Resource | ((params: PathParams<Path>) => Resource);
};

/** A `json` route gives its document, a `text` route its text; an `event-stream` route writes on `call.outgoing`. */
type Handled<Schemas extends RouteSchemas, Kind extends ReplyKind> = {
  readonly json: ResponseOf<Schemas> | Reply<ResponseOf<Schemas>>;
  readonly text: string | Reply<string>;
  readonly "event-stream": undefined;
}[Kind];

/** A document with another status than 200, or with headers of its own. */
export class Reply<Body> {
  readonly body: Body;
  readonly status: number;
  readonly headers: { readonly [name: string]: string };

  constructor(body: Body, options: { status?: number; headers?: { readonly [name: string]: string } }) {
    this.body = body;
    this.status = options.status ?? 200;
    this.headers = options.headers ?? {};
  }
}

/** A contract with what stands behind it. */
export type Route = {
  readonly contract: Contract;
  readonly action: Action;
  resourceOf(params: PathParameters): Resource;
  /** Reads the input, runs the handler and writes the response. @throws ProblemError */
  answer(call: Call, params: PathParameters, query: URLSearchParams, subject: Subject): Promise<void>;
};

export type PathParameters = { readonly [name: string]: string };

export function route<Path extends string, Schemas extends RouteSchemas, Kind extends ReplyKind>(
  contract: Contract<Path, Schemas, Kind>,
  access: Access<Path>,
  handler: (request: RouteRequest<Path, Schemas>) => Promise<Handled<Schemas, Kind>> | Handled<Schemas, Kind>,
): Route {
  const { action, resource } = access;
  // The router fills in exactly the parameters that stand in the path.
  const typed = (params: PathParameters) => params as unknown as PathParams<Path>;
  return {
    contract: contract as unknown as Contract,
    action,
    resourceOf: (params) => (typeof resource === "function" ? resource(typed(params)) : resource),
    async answer(call, params, query, subject) {
      const input = await readInput(contract, call.incoming, query);
      const result = await handler({ params: typed(params), ...input, subject, call });
      if (contract.reply === "event-stream") return;
      const reply = result instanceof Reply ? result : new Reply(result, {});
      send(call, contract.reply, reply);
    },
  };
}

function send(call: Call, kind: "json" | "text", reply: Reply<unknown>): void {
  if (call.outgoing.destroyed) return;
  const body = kind === "json" ? JSON.stringify(reply.body) : String(reply.body);
  call.outgoing.writeHead(reply.status, {
    ...COMMON_HEADERS,
    "content-type": kind === "json" ? "application/json" : "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    "x-request-id": call.id,
    ...reply.headers,
  });
  call.outgoing.end(body);
}
