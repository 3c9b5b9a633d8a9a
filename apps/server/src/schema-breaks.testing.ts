// Every way in which an input can break its schema in one place.
import {
  fits,
  type Input,
  type Json,
  type OpenApi,
  type Operation,
  propertiesOf,
  typeOf,
  variantsOf,
} from "./openapi.testing.ts";

/** An input that breaks its schema in one place. `field`: what the answer has to name. */
export type Break = Input & {
  readonly operation: Operation;
  readonly field: string;
  readonly what: string;
};

type Fault = { readonly field: string; readonly value: unknown; readonly what: string };

/** How far inside of a body it is broken. */
const MAX_DEPTH = 3;
/** What is only many. */
const MANY = 2_000;

/** Every way to break what an operation takes, one at a time. */
export function breaksOf(api: OpenApi, operation: Operation): readonly Break[] {
  const { query, body } = operation;
  const { query: wholeQuery, body: wholeBody } = api.exampleOf(operation);
  const ofQuery = query.flatMap(({ name, required, schema }) => [
    ...(required ? [{ query: without(wholeQuery, name), field: name, what: "missing" }] : []),
    ...textBreaks(api, schema, name).map(({ value, what }) => {
      return { query: { ...wholeQuery, [name]: value }, field: name, what };
    }),
  ]);
  const ofBody =
    body?.type === "application/json"
      ? breaks(api, body.schema, "", 0).map(({ value, field, what }) => ({ body: value, field, what }))
      : [];
  return [...ofQuery, ...ofBody].map((each) => ({ operation, query: wholeQuery, body: wholeBody, ...each }));
}

function breaks(api: OpenApi, unresolved: Json, field: string, depth: number): readonly Fault[] {
  const schema = api.resolved(unresolved);
  const variants = variantsOf(schema).map((each) => api.resolved(each));
  if (variants.length > 0) return unionBreaks(api, variants, field, depth);
  const last = field.split(".").at(-1) ?? "";
  if (schema.const !== undefined || Array.isArray(schema.enum)) {
    return [
      { field, value: "nonsense", what: "not of the list" },
      { field, value: 7, what: "a number" },
    ];
  }
  switch (typeOf(schema)) {
    case "object":
      return objectBreaks(api, schema, field, depth);
    case "array": {
      const items = (schema.items ?? {}) as Json;
      const { minItems, maxItems } = schema as { readonly minItems?: number; readonly maxItems?: number };
      const one = api.example(items, last);
      const inside = depth > MAX_DEPTH ? [] : breaks(api, items, `${field}[0]`, depth + 1);
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

function objectBreaks(api: OpenApi, schema: Json, field: string, depth: number): readonly Fault[] {
  const whole = api.example(schema, "") as Json;
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
          breaks(api, each, joined(field, name), depth + 1).map((fault) => ({
            ...fault,
            value: { ...whole, [name]: fault.value },
          })),
        )),
  ];
}

function unionBreaks(api: OpenApi, variants: readonly Json[], field: string, depth: number): readonly Fault[] {
  const others = variants.filter((each) => typeOf(each) !== "null");
  const [only] = others;
  if (others.length === 1 && only !== undefined) return breaks(api, only, field, depth);
  const tag = ["type", "role", "active"].find((name) => others.every((each) => propertiesOf(each)[name] !== undefined));
  if (tag === undefined) {
    const isText = others.every((each) => typeOf(each) === "string");
    return [{ field, value: 7, what: "a number" }, ...(isText ? [{ field, value: "nonsense", what: "nonsense" }] : [])];
  }
  return [
    { field: joined(field, tag), value: {}, what: "of no kind" },
    { field: joined(field, tag), value: { [tag]: "nonsense" }, what: "of another kind" },
    ...others.flatMap((each) => objectBreaks(api, each, field, depth).filter((fault) => hasTag(fault, tag))),
  ];
}

/** Of a value that comes as text, as those of a query do. */
function textBreaks(
  api: OpenApi,
  unresolved: Json,
  name: string,
): readonly { readonly value: string; readonly what: string }[] {
  const schema = api.resolved(unresolved);
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

const NONSENSE = ["yesterday", "a b", "\u0000", "\u202e", "!"];
