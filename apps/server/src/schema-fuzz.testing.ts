// Requests made from the server's own OpenAPI document: what fits its schemas, and what nearly does.
import fc from "fast-check";
import type { PlainRequest } from "./testing.ts";

type Json = { readonly [name: string]: unknown };

const TEXTS = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom(
    ...[
      "acme",
      "ada",
      "me",
      "owner",
      "admin",
      "*",
      "../..",
      "%00",
      "\u0000",
      "\ud800",
      "\u0430da",
      "\u202e",
      "__proto__",
    ],
    ...["ada@example.com", "2026-01-01T00:00:00Z", "https://example.com", "x".repeat(100_000)],
  ),
);

/** Values for a JSON schema, and now and then something else in their place. */
function anyFor(schema: Json, components: Json): fc.Arbitrary<unknown> {
  const fits = fitting(schema, components);
  return fc.oneof({ weight: 9, arbitrary: fits }, { weight: 1, arbitrary: fc.oneof(TEXTS, fc.jsonValue()) });
}

function fitting(schema: Json, components: Json): fc.Arbitrary<unknown> {
  if (typeof schema.$ref === "string") {
    const name = schema.$ref.split("/").at(-1) ?? "";
    // Where schemas refer to themselves, there is an end.
    return fc.constant(null).chain(() => fitting((components[name] ?? {}) as Json, components));
  }
  for (const several of [schema.anyOf, schema.oneOf]) {
    if (Array.isArray(several)) return fc.oneof(...several.map((each: Json) => anyFor(each, components)));
  }
  if (Array.isArray(schema.enum)) return fc.constantFrom(...(schema.enum as unknown[]));
  if (schema.const !== undefined) return fc.constant(schema.const);
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  switch (type) {
    case "object": {
      const entries = Object.entries((schema.properties ?? {}) as { readonly [name: string]: Json });
      const required = (schema.required ?? []) as readonly string[];
      const model = Object.fromEntries(entries.map(([name, each]) => [name, anyFor(each, components)]));
      return fc.oneof(
        { weight: 8, arbitrary: fc.record(model, { requiredKeys: [...required] }) },
        { weight: 1, arbitrary: fc.record(model, { requiredKeys: [] }) },
      );
    }
    case "array":
      return fc.array(anyFor((schema.items ?? {}) as Json, components), { maxLength: 3 });
    case "integer":
      return fc.oneof(fc.integer({ min: -1, max: 100 }), fc.maxSafeInteger());
    case "number":
      return fc.double();
    case "boolean":
      return fc.boolean();
    default:
      return TEXTS;
  }
}

/** Requests to all operations of an OpenAPI document. */
export function requestsOf(document: {
  readonly paths?: object;
  readonly components?: object;
}): fc.Arbitrary<PlainRequest> {
  const components = ((document.components as Json | undefined)?.schemas ?? {}) as Json;
  const operations = Object.entries(
    (document.paths ?? {}) as { readonly [path: string]: { readonly [method: string]: Json } },
  ).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })));
  return fc.constantFrom(...operations).chain(({ path, method, operation }) => {
    const content = ((operation.requestBody as Json | undefined)?.content ?? {}) as { readonly [type: string]: Json };
    const schema = (content["application/json"]?.schema ?? {}) as Json;
    const names = [...path.matchAll(/\{\w+\}/g)];
    const segments = fc.array(TEXTS, { minLength: names.length, maxLength: names.length });
    const query = fc.option(fc.tuple(fc.constantFrom("limit", "cursor", "which", "search"), TEXTS), { nil: undefined });
    return fc
      .record({ segments, query, body: anyFor(schema, components) })
      .map(({ segments: values, query: asked, body }) => {
        const rest = [...values];
        const filled = path.replace(/\{\w+\}/g, () => encoded(rest.shift() ?? ""));
        const search = asked === undefined ? "" : `?${asked[0]}=${encoded(asked[1])}`;
        return {
          method: method.toUpperCase(),
          path: `${filled}${search}`,
          headers: { "content-type": "application/json", "if-match": "*" },
          ...(method !== "get" && { body: JSON.stringify(body) ?? "null" }),
        };
      });
  });
}

/** Short enough for a request line. */
function encoded(text: string): string {
  return encodeURIComponent(text.slice(0, 500).toWellFormed());
}
