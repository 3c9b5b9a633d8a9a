import type { z } from "zod";
import type { Parsed } from "./llm-request.ts";
import { parseLlmRequest } from "./llm-request.ts";
import type { Problem } from "./problem.ts";

/** `{}` in a path is a parameter; `PathParams<"/proxy/{provider}/stream">` is `{ provider: string }`. */
export type PathParams<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? { readonly [K in Name]: string } & PathParams<Rest>
  : unknown;

export type RouteSchemas = {
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly response: z.ZodType;
};

/** `json`: one document; `text`: plain text; `event-stream`: server-sent events, `response` is the data of each. */
export type ReplyKind = "json" | "text" | "event-stream";

/** One route of the API, for the server, the client and the OpenAPI document alike. */
export type Contract<
  Path extends string = string,
  Schemas extends RouteSchemas = RouteSchemas,
  Kind extends ReplyKind = ReplyKind,
> = {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: Path;
  /** The name of the operation in the OpenAPI document. */
  readonly operation: string;
  readonly summary: string;
  readonly reply: Kind;
  /** Where the answer may come in several: the first is what `response` describes, the others are text. */
  readonly mediaTypes?: readonly string[];
  /** Larger bodies are refused with 413. */
  readonly maxBodyBytes: number;
  /** Loaded when somebody needs them: zod costs more to start than everything else in this package. */
  readonly schemas: () => Promise<Schemas>;
  /** Stands in for the schema of the body on routes where every millisecond counts; has to agree with it. */
  readonly parseBody?: (value: unknown) => Parsed<BodyOf<Schemas>>;
};

export type BodyOf<Schemas extends RouteSchemas> = Schemas extends { readonly body: infer Body extends z.ZodType }
  ? z.output<Body>
  : undefined;

export type QueryOf<Schemas extends RouteSchemas> = Schemas extends { readonly query: infer Query extends z.ZodType }
  ? z.output<Query>
  : undefined;

export type ResponseOf<Schemas extends RouteSchemas> = z.output<Schemas["response"]>;

/** A 200,000 token prompt is about 1 MB; this leaves room for images. */
const MAX_PROMPT_BYTES = 32 * 1024 * 1024;
const MAX_BODY_BYTES = 1024 * 1024;

function defineContract<const Path extends string, Schemas extends RouteSchemas, const Kind extends ReplyKind>(
  contract: Contract<Path, Schemas, Kind>,
): Contract<Path, Schemas, Kind> {
  return contract;
}

/** The schema of the problem document that any route may answer with. */
export const loadProblemSchema = (): Promise<z.ZodType<Problem>> =>
  import("./schemas/problem.ts").then((schemas) => schemas.problemSchema);

/** Every route of the server. */
export const api = {
  llm: {
    complete: defineContract({
      method: "POST",
      path: "/proxy/{provider}/complete",
      operation: "completeLlmRequest",
      summary: "Ask a model and wait for the whole answer",
      reply: "json",
      maxBodyBytes: MAX_PROMPT_BYTES,
      schemas: () => import("./schemas/llm.ts").then((schemas) => schemas.complete),
      parseBody: parseLlmRequest,
    }),
    stream: defineContract({
      method: "POST",
      path: "/proxy/{provider}/stream",
      operation: "streamLlmRequest",
      summary: "Ask a model and follow its answer as server-sent events",
      reply: "event-stream",
      maxBodyBytes: MAX_PROMPT_BYTES,
      schemas: () => import("./schemas/llm.ts").then((schemas) => schemas.stream),
      parseBody: parseLlmRequest,
    }),
    models: defineContract({
      method: "GET",
      path: "/api/models",
      operation: "listModels",
      summary: "The models and aliases that this server offers",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/models.ts").then((schemas) => schemas.listModels),
    }),
  },
  tokens: {
    list: defineContract({
      method: "GET",
      path: "/api/tokens",
      operation: "listTokens",
      summary: "The access tokens, revoked ones included",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/tokens.ts").then((schemas) => schemas.listTokens),
    }),
    create: defineContract({
      method: "POST",
      path: "/api/tokens",
      operation: "createToken",
      summary: "Make an access token; its answer is the only place where it can be read",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/tokens.ts").then((schemas) => schemas.createToken),
    }),
    revoke: defineContract({
      method: "DELETE",
      path: "/api/tokens/{id}",
      operation: "revokeToken",
      summary: "Void an access token for good",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/tokens.ts").then((schemas) => schemas.revokeToken),
    }),
  },
  budgets: {
    list: defineContract({
      method: "GET",
      path: "/api/budgets",
      operation: "listBudgets",
      summary: "Every node that has limits, with what it has spent",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/budgets.ts").then((schemas) => schemas.listBudgets),
    }),
    get: defineContract({
      method: "GET",
      path: "/api/budgets/{kind}/{id}",
      operation: "getBudget",
      summary: "The limits of a node and what it has spent",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/budgets.ts").then((schemas) => schemas.getBudget),
    }),
    put: defineContract({
      method: "PUT",
      path: "/api/budgets/{kind}/{id}",
      operation: "putBudget",
      summary: "Set the limits of a node, in place of those that it has; they hold at once",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/budgets.ts").then((schemas) => schemas.putBudget),
    }),
    delete: defineContract({
      method: "DELETE",
      path: "/api/budgets/{kind}/{id}",
      operation: "deleteBudget",
      summary: "Lift the limits of a node",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/budgets.ts").then((schemas) => schemas.deleteBudget),
    }),
  },
  usage: {
    get: defineContract({
      method: "GET",
      path: "/api/usage",
      operation: "getUsage",
      summary: "What was used, grouped by anything that the ledger knows",
      reply: "text",
      mediaTypes: ["application/json", "text/csv"],
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/usage.ts").then((schemas) => schemas.getUsage),
    }),
  },
  prices: {
    list: defineContract({
      method: "GET",
      path: "/api/admin/prices",
      operation: "listPrices",
      summary: "The server's own prices, which come before those of the catalogue",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/prices.ts").then((schemas) => schemas.listPrices),
    }),
    put: defineContract({
      method: "PUT",
      path: "/api/admin/prices",
      operation: "putPrice",
      summary: "Set a price; it takes the place of one for the same provider, model and time",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/prices.ts").then((schemas) => schemas.putPrice),
    }),
    delete: defineContract({
      method: "DELETE",
      path: "/api/admin/prices/{id}",
      operation: "deletePrice",
      summary: "Retire a price; costs that were made with it stay as they are",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/prices.ts").then((schemas) => schemas.deletePrice),
    }),
  },
  credentials: {
    list: defineContract({
      method: "GET",
      path: "/api/admin/credentials",
      operation: "listCredentials",
      summary: "The credentials of all providers, and how many of each can be used",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/credentials.ts").then((schemas) => schemas.listCredentials),
    }),
    add: defineContract({
      method: "POST",
      path: "/api/admin/credentials",
      operation: "addCredential",
      summary: "Store a credential, encrypted; it is used at once and cannot be read again",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/credentials.ts").then((schemas) => schemas.addCredential),
    }),
    change: defineContract({
      method: "PATCH",
      path: "/api/admin/credentials/{id}",
      operation: "changeCredential",
      summary: "Enable or disable a credential, or give it another label or weight",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/credentials.ts").then((schemas) => schemas.changeCredential),
    }),
    delete: defineContract({
      method: "DELETE",
      path: "/api/admin/credentials/{id}",
      operation: "deleteCredential",
      summary: "Remove a stored credential for good",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/credentials.ts").then((schemas) => schemas.deleteCredential),
    }),
  },
  routes: {
    explain: defineContract({
      method: "GET",
      path: "/api/admin/routes/explain",
      operation: "explainRoute",
      summary: "Whom a request for a model would be sent to, in which order and why",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/routes.ts").then((schemas) => schemas.explainRoute),
    }),
    list: defineContract({
      method: "GET",
      path: "/api/admin/routes",
      operation: "listRoutes",
      summary: "The routes of the file and those set by API",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/routes.ts").then((schemas) => schemas.listRoutes),
    }),
    put: defineContract({
      method: "PUT",
      path: "/api/admin/routes/{name}",
      operation: "putRoute",
      summary:
        "Set a route, in place of the one of that name; it holds at once. If-Match names the version it replaces",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/routes.ts").then((schemas) => schemas.putRoute),
    }),
    delete: defineContract({
      method: "DELETE",
      path: "/api/admin/routes/{name}",
      operation: "deleteRoute",
      summary: "Take a route away; a route of the file with that name holds again",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/routes.ts").then((schemas) => schemas.deleteRoute),
    }),
  },
  system: {
    openApi: defineContract({
      method: "GET",
      path: "/api/openapi.json",
      operation: "getOpenApiDocument",
      summary: "This API as an OpenAPI 3.1 document",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/system.ts").then((schemas) => schemas.openApi),
    }),
    healthz: defineContract({
      method: "GET",
      path: "/healthz",
      operation: "getHealth",
      summary: "Whether the process answers",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/system.ts").then((schemas) => schemas.healthz),
    }),
    readyz: defineContract({
      method: "GET",
      path: "/readyz",
      operation: "getReadiness",
      summary: "Whether the server can do its work; 503 while it cannot",
      reply: "json",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/system.ts").then((schemas) => schemas.readyz),
    }),
    metrics: defineContract({
      method: "GET",
      path: "/metrics",
      operation: "getMetrics",
      summary: "Metrics in the Prometheus text format",
      reply: "text",
      maxBodyBytes: MAX_BODY_BYTES,
      schemas: () => import("./schemas/system.ts").then((schemas) => schemas.metrics),
    }),
  },
} as const;
