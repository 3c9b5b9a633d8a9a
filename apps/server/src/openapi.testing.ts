// The server's own OpenAPI document, as far as requests are made from it.

export type Json = { readonly [name: string]: unknown };

/** One operation of an OpenAPI document, its references resolved as far as they are needed. */
export type Operation = {
  readonly method: string;
  readonly path: string;
  readonly query: readonly { readonly name: string; readonly required: boolean; readonly schema: Json }[];
  /** Absent: it takes no body. */
  readonly body?: { readonly type: string; readonly schema: Json };
  /** Answers with a page, and says on a page what is wrong. */
  readonly isPage: boolean;
};

/** By these, somebody signs himself out, or in as somebody else, or makes an end of his account: asked by nobody who is needed afterwards. */
export const FAREWELLS =
  /^(?:GET \/auth\/development|POST \/auth\/(?:sign-out|account\/end-.*)|DELETE \/api\/sessions(?:\/\{id\})?|POST \/api\/users\/me\/delete|PATCH .*\/roles)$/;

/** What an operation takes beside its path. */
export type Input = { readonly query: Json; readonly body: unknown };

export class OpenApi {
  readonly operations: readonly Operation[];
  readonly #components: Json;

  constructor(document: Json) {
    this.#components = ((document.components as Json | undefined)?.schemas ?? {}) as Json;
    const paths = (document.paths ?? {}) as { readonly [path: string]: { readonly [method: string]: Json } };
    this.operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => operationOf(method, path, operation)),
    );
  }

  /** What an operation takes at the least. */
  exampleOf({ query, body }: Operation): Input {
    return {
      query: Object.fromEntries(
        query.filter(({ required }) => required).map(({ name, schema }) => [name, this.example(schema, name)]),
      ),
      body: body === undefined ? undefined : this.example(body.schema, ""),
    };
  }

  resolved(schema: Json): Json {
    if (typeof schema.$ref !== "string") return schema;
    return (this.#components[schema.$ref.split("/").at(-1) ?? ""] ?? {}) as Json;
  }

  /** The least that fits. */
  example(unresolved: Json, name: string): unknown {
    const schema = this.resolved(unresolved);
    const [first] = variantsOf(schema);
    if (first !== undefined) return this.example(first, name);
    if (schema.const !== undefined) return schema.const;
    if (Array.isArray(schema.enum)) return schema.enum[0];
    switch (typeOf(schema)) {
      case "object": {
        const required = (schema.required ?? []) as readonly string[];
        const properties = propertiesOf(schema);
        return Object.fromEntries(required.map((each) => [each, this.example(properties[each] ?? {}, each)]));
      }
      case "array": {
        const items = (schema.items ?? {}) as Json;
        return Array.from({ length: Number(schema.minItems ?? 0) }, () => this.example(items, name));
      }
      case "integer":
      case "number":
        return Math.max(Number(schema.minimum ?? 1), 1);
      case "boolean":
        return true;
      case "null":
        return null;
      case "string":
        return textThatFits(schema, name);
      default:
        return name === "" ? {} : "x";
    }
  }
}

/** A body as that type of content. */
export function encoded(type: string, body: unknown): string {
  if (type !== "application/x-www-form-urlencoded") {
    return type === "application/json" ? JSON.stringify(body) : String(body);
  }
  const fields = typeof body === "object" && body !== null ? Object.entries(body) : [];
  return new URLSearchParams(fields.map(([name, value]): [string, string] => [name, String(value)])).toString();
}

function operationOf(method: string, path: string, operation: Json): Operation {
  const parameters = (operation.parameters ?? []) as readonly Json[];
  const content = ((operation.requestBody as Json | undefined)?.content ?? {}) as { readonly [type: string]: Json };
  const [[type, body] = []] = Object.entries(content);
  const answers = (((operation.responses as Json)["200"] as Json).content ?? {}) as Json;
  return {
    method: method.toUpperCase(),
    path,
    query: parameters
      .filter((each) => each.in === "query")
      .map(({ name, required, schema }) => {
        return { name: String(name), required: required === true, schema: (schema ?? {}) as Json };
      }),
    ...(type !== undefined && body !== undefined && { body: { type, schema: (body.schema ?? {}) as Json } }),
    isPage: "text/html" in answers,
  };
}

export function variantsOf(schema: Json): readonly Json[] {
  for (const several of [schema.anyOf, schema.oneOf]) if (Array.isArray(several)) return several as Json[];
  return [];
}

export function typeOf(schema: Json): unknown {
  return Array.isArray(schema.type) ? schema.type.find((each) => each !== "null") : schema.type;
}

export function propertiesOf(schema: Json): { readonly [name: string]: Json } {
  return (schema.properties ?? {}) as { readonly [name: string]: Json };
}

/** As to its form, not to its length. */
export function fits(schema: Json, text: string): boolean {
  if (schema.format === "date-time" || schema.format === "date") return !Number.isNaN(Date.parse(text));
  if (schema.format === "email") return text.includes("@");
  return typeof schema.pattern !== "string" || new RegExp(schema.pattern, "u").test(text);
}

export function textThatFits(schema: Json, name: string): string {
  const own = OWN[name];
  const { minLength = 0, maxLength = 1_000 } = schema as { readonly minLength?: number; readonly maxLength?: number };
  const fitting = [...(own === undefined ? [] : [own]), ...EXAMPLES].find(
    (text) => text.length >= minLength && text.length <= maxLength && fits(schema, text),
  );
  if (fitting === undefined) throw new Error(`No example fits ${name}: ${JSON.stringify(schema)}`);
  return fitting;
}

/** Where the form of a text says less than the server asks for. */
const OWN: Readonly<Record<string, string>> = {
  locale: "en",
  avatarUrl: "https://example.com/ada.png",
  tokenEndpoint: "https://example.com/token",
  email: "eve@example.com",
  node: "token:owner",
  username: "bob",
};

const EXAMPLES = [
  "example",
  "an example that is long enough",
  "2126-01-31T12:00:00Z",
  "token/owner",
  "example.com",
  "eve@example.com",
  "/auth/account",
  "ab".repeat(32),
];
