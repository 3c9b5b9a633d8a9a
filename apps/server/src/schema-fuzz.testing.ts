// Requests made from the server's own OpenAPI document: what fits its schemas, and what breaks them in one place.
import fc from "fast-check";

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

export type Asked = {
  readonly operation: Operation;
  /** Values of the path's parameters. */
  readonly params: Json;
  readonly query: Json;
  readonly body: unknown;
};

/** An input that breaks its schema in one place. `field`: what the answer has to name. */
export type Break = {
  readonly operation: Operation;
  readonly query: Json;
  readonly body: unknown;
  readonly field: string;
  readonly what: string;
};

/** By these, somebody signs himself out, or in as somebody else, or makes an end of his account: asked by nobody who is needed afterwards. */
export const FAREWELLS =
  /^(?:GET \/auth\/development|POST \/auth\/(?:sign-out|account\/end-.*)|DELETE \/api\/sessions(?:\/\{id\})?|POST \/api\/users\/me\/delete|PATCH .*\/roles)$/;

type Components = Json;

export class OpenApi {
  readonly operations: readonly Operation[];
  readonly #components: Components;

  constructor(document: Json) {
    this.#components = ((document.components as Json | undefined)?.schemas ?? {}) as Json;
    const paths = (document.paths ?? {}) as { readonly [path: string]: { readonly [method: string]: Json } };
    this.operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => operationOf(method, path, operation)),
    );
  }

  /** What an operation takes at the least. */
  exampleOf({ query, body }: Operation): Pick<Asked, "query" | "body"> {
    return {
      query: Object.fromEntries(
        query.filter(({ required }) => required).map(({ name, schema }) => [name, this.#example(schema, name)]),
      ),
      body: body === undefined ? undefined : this.#example(body.schema, ""),
    };
  }

  /** Every way to break what an operation takes, one at a time. */
  breaksOf(operation: Operation): readonly Break[] {
    const { query, body } = operation;
    const { query: wholeQuery, body: wholeBody } = this.exampleOf(operation);
    const ofQuery = query.flatMap(({ name, required, schema }) => [
      ...(required ? [{ query: without(wholeQuery, name), field: name, what: "missing" }] : []),
      ...this.#textBreaks(schema, name).map(({ value, what }) => {
        return { query: { ...wholeQuery, [name]: value }, field: name, what };
      }),
    ]);
    const ofBody =
      body?.type === "application/json"
        ? this.#breaks(body.schema, "", 0).map(({ value, field, what }) => ({ body: value, field, what }))
        : [];
    return [...ofQuery, ...ofBody].map((each) => ({ operation, query: wholeQuery, body: wholeBody, ...each }));
  }

  /** What fits, filled with `known` values of parameters half of the time, and with anything the other half. */
  anyRequest(operations: readonly Operation[], known: (operation: Operation) => Json): fc.Arbitrary<Asked> {
    return fc.constantFrom(...operations).chain((operation) => {
      const params = fc.record(
        Object.fromEntries(
          [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => {
            const value = known(operation)[name];
            return [name, value === undefined ? TEXTS : fc.oneof({ weight: 2, arbitrary: fc.constant(value) }, TEXTS)];
          }),
        ),
      );
      const query = fc.record(
        Object.fromEntries(operation.query.map(({ name, schema }) => [name, this.#fitting(schema, name)])),
        { requiredKeys: operation.query.filter(({ required }) => required).map(({ name }) => name) },
      );
      const body = operation.body === undefined ? fc.constant(undefined) : this.#fitting(operation.body.schema, "");
      return fc.record({ operation: fc.constant(operation), params, query, body });
    });
  }

  #resolved(schema: Json): Json {
    if (typeof schema.$ref !== "string") return schema;
    return (this.#components[schema.$ref.split("/").at(-1) ?? ""] ?? {}) as Json;
  }

  /** The least that fits. */
  #example(unresolved: Json, name: string): unknown {
    const schema = this.#resolved(unresolved);
    const [first] = variantsOf(schema);
    if (first !== undefined) return this.#example(first, name);
    if (schema.const !== undefined) return schema.const;
    if (Array.isArray(schema.enum)) return schema.enum[0];
    switch (typeOf(schema)) {
      case "object": {
        const required = (schema.required ?? []) as readonly string[];
        const properties = propertiesOf(schema);
        return Object.fromEntries(required.map((each) => [each, this.#example(properties[each] ?? {}, each)]));
      }
      case "array": {
        const items = (schema.items ?? {}) as Json;
        return Array.from({ length: Number(schema.minItems ?? 0) }, () => this.#example(items, name));
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

  #breaks(unresolved: Json, field: string, depth: number): readonly Fault[] {
    const schema = this.#resolved(unresolved);
    const variants = variantsOf(schema).map((each) => this.#resolved(each));
    if (variants.length > 0) return this.#unionBreaks(variants, field, depth);
    const last = field.split(".").at(-1) ?? "";
    if (schema.const !== undefined || Array.isArray(schema.enum)) {
      return [
        { field, value: "nonsense", what: "not of the list" },
        { field, value: 7, what: "a number" },
      ];
    }
    switch (typeOf(schema)) {
      case "object":
        return this.#objectBreaks(schema, field, depth);
      case "array": {
        const items = (schema.items ?? {}) as Json;
        const { minItems, maxItems } = schema as { readonly minItems?: number; readonly maxItems?: number };
        const one = this.#example(items, last);
        const inside = depth > MAX_DEPTH ? [] : this.#breaks(items, `${field}[0]`, depth + 1);
        return [
          { field, value: "a text", what: "no list" },
          ...(minItems ? [{ field, value: [], what: "too few" }] : []),
          ...(maxItems !== undefined && maxItems < MANY
            ? [{ field, value: Array.from({ length: maxItems + 1 }, () => one), what: "too many" }]
            : []),
          ...inside.map((each) => ({ ...each, value: [each.value] })),
        ];
      }
      case "integer":
      case "number":
        return [
          { field, value: "a text", what: "a text" },
          ...numbersOutside(schema).map((value) => ({ field, value, what: `${value}` })),
        ];
      case "boolean":
        return [{ field, value: "perhaps", what: "no boolean" }];
      case "string":
        return [
          { field, value: 7, what: "a number" },
          { field, value: { a: 1 }, what: "an object" },
          ...textsOutside(schema).map(({ value, what }) => ({ field, value, what })),
        ];
      default:
        return [];
    }
  }

  #objectBreaks(schema: Json, field: string, depth: number): readonly Fault[] {
    const whole = this.#example(schema, "") as Json;
    const required = (schema.required ?? []) as readonly string[];
    const properties = Object.entries(propertiesOf(schema));
    return [
      { field, value: [], what: "a list" },
      { field, value: "a text", what: "a text" },
      ...(schema.additionalProperties === false
        ? [{ field: joined(field, "nonsense"), value: { ...whole, nonsense: 1 }, what: "of no API" }]
        : []),
      ...required.map((name) => ({ field: joined(field, name), value: without(whole, name), what: "missing" })),
      ...(depth > MAX_DEPTH
        ? []
        : properties.flatMap(([name, each]) =>
            this.#breaks(each, joined(field, name), depth + 1).map((fault) => ({
              ...fault,
              value: { ...whole, [name]: fault.value },
            })),
          )),
    ];
  }

  #unionBreaks(variants: readonly Json[], field: string, depth: number): readonly Fault[] {
    const others = variants.filter((each) => typeOf(each) !== "null");
    const [only] = others;
    if (others.length === 1 && only !== undefined) return this.#breaks(only, field, depth);
    const tag = ["type", "role", "active"].find((name) =>
      others.every((each) => propertiesOf(each)[name] !== undefined),
    );
    if (tag === undefined) {
      const isText = others.every((each) => typeOf(each) === "string");
      return [
        { field, value: 7, what: "a number" },
        ...(isText ? [{ field, value: "nonsense", what: "nonsense" }] : []),
      ];
    }
    return [
      { field: joined(field, tag), value: {}, what: "of no kind" },
      { field: joined(field, tag), value: { [tag]: "nonsense" }, what: "of another kind" },
      ...others.flatMap((each) => this.#objectBreaks(each, field, depth).filter((fault) => hasTag(fault, tag))),
    ];
  }

  /** Of a value that comes as text, as those of a query do. */
  #textBreaks(unresolved: Json, name: string): readonly { readonly value: string; readonly what: string }[] {
    const schema = this.#resolved(unresolved);
    const variants = variantsOf(schema);
    if (variants.length > 0 || schema.const !== undefined || Array.isArray(schema.enum)) {
      return [{ value: "nonsense", what: "not of the list" }];
    }
    switch (typeOf(schema)) {
      case "integer":
      case "number":
        return [
          { value: "many", what: "a text" },
          ...numbersOutside(schema).map((value) => ({ value: String(value), what: `${name}=${value}` })),
        ];
      case "boolean":
        return [{ value: "perhaps", what: "no boolean" }];
      default:
        return textsOutside(schema);
    }
  }

  #fitting(unresolved: Json, name: string): fc.Arbitrary<unknown> {
    const schema = this.#resolved(unresolved);
    const variants = variantsOf(schema);
    if (variants.length > 0) return fc.oneof(...variants.map((each) => this.#fitting(each, name)));
    if (schema.const !== undefined) return fc.constant(schema.const);
    if (Array.isArray(schema.enum)) return fc.constantFrom(...(schema.enum as unknown[]));
    switch (typeOf(schema)) {
      case "object": {
        const required = (schema.required ?? []) as readonly string[];
        const entries = Object.entries(propertiesOf(schema));
        const model = Object.fromEntries(entries.map(([each, of]) => [each, this.#fitting(of, each)]));
        return fc.record(model, { requiredKeys: [...required] });
      }
      case "array": {
        const [minLength, most] = [Number(schema.minItems ?? 0), Number(schema.maxItems ?? 3)];
        const items = this.#fitting((schema.items ?? {}) as Json, name);
        return fc.array(items, { minLength, maxLength: Math.max(minLength, Math.min(most, 3)) });
      }
      case "integer": {
        const [min, max] = rangeOf(schema);
        return fc.oneof(fc.integer({ min, max: Math.min(max, min + 100) }), fc.constantFrom(min, max));
      }
      case "number": {
        const [min, max] = rangeOf(schema);
        return fc.double({ min, max, noNaN: true });
      }
      case "boolean":
        return fc.boolean();
      case "null":
        return fc.constant(null);
      case "string":
        return fittingText(schema, name);
      default:
        return fc.jsonValue();
    }
  }
}

type Fault = { readonly field: string; readonly value: unknown; readonly what: string };

/** How far inside of a body it is broken. */
const MAX_DEPTH = 3;
/** Of a value in a path or a query: longer ones do not go into a request line. */
export const MAX_SEGMENT = 2_500;
/** What is only many. */
const MANY = 2_000;

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

function variantsOf(schema: Json): readonly Json[] {
  for (const several of [schema.anyOf, schema.oneOf]) if (Array.isArray(several)) return several as Json[];
  return [];
}

function typeOf(schema: Json): unknown {
  return Array.isArray(schema.type) ? schema.type.find((each) => each !== "null") : schema.type;
}

function propertiesOf(schema: Json): { readonly [name: string]: Json } {
  return (schema.properties ?? {}) as { readonly [name: string]: Json };
}

function joined(field: string, name: string): string {
  return field === "" ? name : `${field}.${name}`;
}

function without(value: Json, name: string): Json {
  return Object.fromEntries(Object.entries(value).filter(([each]) => each !== name));
}

/** Else it is none of the variant. */
function hasTag({ value }: Fault, tag: string): boolean {
  const of = typeof value === "object" && value !== null ? (value as Json)[tag] : undefined;
  return typeof of === "string" && of !== "nonsense";
}

function rangeOf(schema: Json): readonly [number, number] {
  const min = Number(schema.minimum ?? 0);
  return [Math.max(min, -1_000), Math.min(Number(schema.maximum ?? Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)];
}

function numbersOutside(schema: Json): readonly number[] {
  const { minimum, maximum } = schema as { readonly minimum?: number; readonly maximum?: number };
  return [
    ...(schema.type === "integer" ? [1.5] : []),
    ...(minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER ? [minimum - 1] : []),
    ...(maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? [maximum + 1] : []),
  ];
}

function textsOutside(schema: Json): readonly { readonly value: string; readonly what: string }[] {
  const { minLength, maxLength } = schema as { readonly minLength?: number; readonly maxLength?: number };
  const misfit = NONSENSE.find((text) => !fits(schema, text));
  return [
    ...(minLength ? [{ value: "", what: "empty" }] : []),
    ...(maxLength !== undefined && maxLength < 10_000 ? [{ value: "x".repeat(maxLength + 1), what: "too long" }] : []),
    ...(misfit === undefined ? [] : [{ value: misfit, what: `like ${JSON.stringify(misfit)}` }]),
  ];
}

/** As to its form, not to its length. */
function fits(schema: Json, text: string): boolean {
  if (schema.format === "date-time" || schema.format === "date") return !Number.isNaN(Date.parse(text));
  if (schema.format === "email") return text.includes("@");
  return typeof schema.pattern !== "string" || new RegExp(schema.pattern, "u").test(text);
}

const NONSENSE = ["yesterday", "a b", "\u0000", "\u202e", "!"];

function textThatFits(schema: Json, name: string): string {
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

const TEXTS = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom("me", "owner", "*", "..", "../..", "%00", "\u0000", "\ud800", "\u0430da", "\u202e", "__proto__"),
  fc.constant("x".repeat(500)),
);

function fittingText(schema: Json, name: string): fc.Arbitrary<string> {
  const least = fc.constant(textThatFits(schema, name));
  if (schema.pattern !== undefined || schema.format !== undefined) return least;
  const { minLength = 0, maxLength = 100 } = schema as { readonly minLength?: number; readonly maxLength?: number };
  return fc.oneof(least, fc.string({ unit: "binary", minLength, maxLength: Math.min(maxLength, minLength + 60) }));
}
