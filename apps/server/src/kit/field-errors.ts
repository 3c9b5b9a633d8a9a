import type { FieldError } from "@loom/api";
import type { z } from "zod";

type Issue = z.core.$ZodIssue;
type RawIssue = z.core.$ZodRawIssue;

/** Of one answer: whoever sends a thousand wrong fields learns of these. */
const MAX_ERRORS = 20;
/** Characters of a field's name, which may be the client's own. */
const MAX_FIELD = 200;

/** What is wrong with an input that does not fit, in our words. A message that the schema itself gives stays as it is. */
export function fieldErrorsOf(schema: z.ZodType, value: unknown): readonly FieldError[] {
  const { error } = schema.safeParse(value, { error: sentenceOf });
  return (error?.issues ?? [])
    .flatMap((issue) => errorsOf(issue))
    .slice(0, MAX_ERRORS)
    .map(({ field, message }) => ({ field: field.slice(0, MAX_FIELD), message }));
}

function errorsOf(issue: Issue): readonly FieldError[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      field: fieldName([...issue.path, key]),
      message: "is not a field of the API",
    }));
  }
  if (issue.code === "invalid_union") {
    const nested = closest(issue);
    if (nested !== undefined) {
      return nested.flatMap((each) => errorsOf({ ...each, path: [...issue.path, ...each.path] }));
    }
  }
  return [{ field: fieldName(issue.path), message: issue.message }];
}

/** Of several forms, the one that the input nearly has: what is wrong with it is further in than the input itself. */
function closest(issue: Issue): readonly Issue[] | undefined {
  const errors = "errors" in issue ? issue.errors : [];
  return errors.find((issues) => issues.length > 0 && issues.every(({ path }) => path.length > 0));
}

/** `messages[0].role`, as a person would write it. */
function fieldName(path: readonly PropertyKey[]): string {
  return path.reduce<string>((name, part) => {
    if (typeof part === "number") return `${name}[${part}]`;
    return name === "" ? String(part) : `${name}.${String(part)}`;
  }, "");
}

/** For zod: the sentence of an issue whose schema gives none. It follows on "The field X is wrong:". */
function sentenceOf(issue: RawIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined ? "is missing" : whatItMustBe(issue.expected, issue.schema);
    case "too_small":
    case "too_big":
      return ofSize(issue);
    case "invalid_format":
      return FORMATS[issue.format] ?? "has not the form that it needs";
    case "invalid_value":
      if (issue.input === undefined) return "is missing";
      return issue.values.length === 1
        ? `must be ${JSON.stringify(issue.values[0])}`
        : `must be one of: ${issue.values.map(String).join(", ")}`;
    case "invalid_union":
      return ofUnion(issue);
    case "invalid_key":
      return "has a name that cannot be";
    case "not_multiple_of":
      return `must be a multiple of ${issue.divisor}`;
    default:
      return "is not what it has to be";
  }
}

function ofSize(issue: Extract<RawIssue, { code: "too_small" | "too_big" }>): string {
  const bound = issue.code === "too_small" ? { minimum: issue.minimum } : { maximum: issue.maximum };
  const { minimum, maximum } = { ...boundsOf(issue.schema), ...bound };
  switch (issue.origin) {
    case "string":
      return `must have ${between(minimum, maximum)} characters`;
    case "array":
    case "set":
      return `must have ${between(minimum, maximum)} entries`;
    case "int":
    case "number":
      return whatItMustBe(isWhole(issue.schema) || issue.origin === "int" ? "int" : "number", issue.schema);
    default:
      return issue.code === "too_small" ? `must be at least ${issue.minimum}` : `must be at most ${issue.maximum}`;
  }
}

function between(minimum: Bound, maximum: Bound): string {
  if (minimum === undefined || Number(minimum) === 0) return `at most ${maximum}`;
  if (maximum === undefined) return `at least ${minimum}`;
  return minimum === maximum ? String(minimum) : `${minimum} to ${maximum}`;
}

const KINDS: Readonly<Record<string, string>> = {
  string: "a string",
  boolean: "a boolean",
  array: "a list",
  object: "an object",
  record: "an object",
  null: "null",
  date: "a time",
};

function whatItMustBe(expected: string, schema: Schema): string {
  if (expected !== "number" && expected !== "int") return `must be ${KINDS[expected] ?? "something else"}`;
  const kind = expected === "int" || isWhole(schema) ? "a whole number" : "a number";
  const { minimum, maximum } = boundsOf(schema);
  if (minimum === undefined) return `must be ${kind}${maximum === undefined ? "" : `, at most ${maximum}`}`;
  return `must be ${kind}${maximum === undefined ? `, at least ${minimum}` : ` from ${minimum} to ${maximum}`}`;
}

type Schema = RawIssue["schema"];
type Bound = number | bigint | undefined;

type Check = {
  readonly check: string;
  readonly value?: Bound;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly format?: string;
};

function boundsOf(schema: Schema): { readonly minimum: Bound; readonly maximum: Bound } {
  const checks = checksOf(schema);
  const least = checks.find(({ check }) => check === "greater_than" || check === "min_length");
  const most = checks.find(({ check }) => check === "less_than" || check === "max_length");
  return { minimum: least?.value ?? least?.minimum, maximum: most?.value ?? most?.maximum };
}

function isWhole(schema: Schema): boolean {
  return checksOf(schema).some(({ format }) => format?.includes("int"));
}

/** `z.int()` is a check itself. */
function checksOf(schema: Schema): readonly Check[] {
  if (schema === undefined) return [];
  const { def } = schema._zod;
  return [def as unknown as Check, ...(def.checks ?? []).map((each) => each._zod.def as unknown as Check)];
}

const FORMATS: Readonly<Record<string, string>> = {
  datetime: "must be a time such as 2026-01-31T12:00:00Z",
  date: "must be a date such as 2026-01-31",
  email: "must be an e-mail address",
  url: "must be an address",
};

function ofUnion(issue: Extract<RawIssue, { code: "invalid_union" }>): string {
  const { options } = issue as { readonly options?: readonly unknown[] };
  if (options !== undefined) return `must be one of: ${options.map(String).join(", ")}`;
  const [first = "is not what it has to be", ...others] = new Set(
    issue.errors.flatMap((issues) => issues.map(({ message }) => message)),
  );
  return [first, ...others.map((each) => each.replace(/^must be /, ""))].join(", or ");
}
