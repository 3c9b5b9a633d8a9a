import type { z } from "zod";
import type { Parsed } from "./llm-request.ts";

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

/** `json`: one document; `text`: plain text; `html`: a page; `event-stream`: server-sent events, `response` is the data of each. */
export type ReplyKind = "json" | "text" | "html" | "event-stream";

/** `json` unless said otherwise; `form`: `application/x-www-form-urlencoded`; `bytes`: as they come, whatever their type. */
export type BodyKind = "json" | "form" | "bytes";

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
  readonly bodyKind?: BodyKind;
  /** May be asked without a token; what it gives then is up to the policy. Every other route answers 401. */
  readonly anonymous?: true;
  /** Larger bodies are refused with 413. */
  readonly maxBodyBytes: number;
  /** Loaded when somebody needs them: zod costs more to start than everything else in this package. */
  readonly schemas: () => Promise<Schemas>;
  /** Stands in for the schema of the body on routes where every millisecond counts; has to agree with it. */
  readonly parseBody?: (value: unknown) => Parsed<BodyOf<Schemas>>;
  /** The same for the query, beside `parseBody`; absent: the query means nothing. */
  readonly parseQuery?: (value: { readonly [name: string]: string }) => Parsed<QueryOf<Schemas>>;
};

export type BodyOf<Schemas extends RouteSchemas> = Schemas extends { readonly body: infer Body extends z.ZodType }
  ? z.output<Body>
  : undefined;

export type QueryOf<Schemas extends RouteSchemas> = Schemas extends { readonly query: infer Query extends z.ZodType }
  ? z.output<Query>
  : undefined;

export type ResponseOf<Schemas extends RouteSchemas> = z.output<Schemas["response"]>;

/** A 200,000 token prompt is about 1 MB; this leaves room for images. */
export const MAX_PROMPT_BYTES = 32 * 1024 * 1024;
export const MAX_BODY_BYTES = 1024 * 1024;

export function defineContract<const Path extends string, Schemas extends RouteSchemas, const Kind extends ReplyKind>(
  contract: Contract<Path, Schemas, Kind>,
): Contract<Path, Schemas, Kind> {
  return contract;
}
