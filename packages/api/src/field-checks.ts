import type { FieldError } from "./problem.ts";

/** Looks at one value; `field` is its path, for the error. */
export type Check = (value: unknown, field: string) => FieldError | undefined;
type Rule = { readonly check: Check; readonly optional?: true };
type Fields = { readonly [name: string]: Rule };

export const string: Check = (value, field) =>
  typeof value === "string" ? undefined : wrong(field, "must be a string");
export const boolean: Check = (value, field) =>
  typeof value === "boolean" ? undefined : wrong(field, "must be a boolean");
export const object: Check = (value, field) => (isObject(value) ? undefined : wrong(field, "must be an object"));
export const integer: Check = (value, field) =>
  Number.isSafeInteger(value) ? undefined : wrong(field, "must be a whole number");

export function optional(check: Check): Rule {
  return { check, optional: true };
}

export function oneOfTexts(...texts: readonly string[]): Check {
  const names = texts.join(", ");
  return (value, field) =>
    typeof value === "string" && texts.includes(value) ? undefined : wrong(field, `must be one of: ${names}`);
}

/** An object with these fields and no other. */
export function fields(expected: Fields): Check {
  const names = Object.keys(expected);
  const required = names.filter((name) => expected[name]?.optional !== true);
  return (value, field) => {
    if (!isObject(value)) return wrong(field, "must be an object");
    for (const name of required) {
      if (!Object.hasOwn(value, name)) return wrong(join(field, name), "is missing");
    }
    for (const name of Object.keys(value)) {
      const rule = Object.hasOwn(expected, name) ? expected[name] : undefined;
      if (rule === undefined) return wrong(join(field, name), "is not a field of the API");
      const error = rule.check(value[name], join(field, name));
      if (error !== undefined) return error;
    }
    return undefined;
  };
}

export function oneOf(discriminator: string, variants: { readonly [name: string]: Check }): Check {
  const names = Object.keys(variants).join(", ");
  return (value, field) => {
    if (!isObject(value)) return wrong(field, "must be an object");
    const name = value[discriminator];
    const check = typeof name === "string" && Object.hasOwn(variants, name) ? variants[name] : undefined;
    return check === undefined ? wrong(join(field, discriminator), `must be one of: ${names}`) : check(value, field);
  };
}

export function list(item: Check): Check {
  return (value, field) => {
    if (!Array.isArray(value)) return wrong(field, "must be a list");
    for (let index = 0; index < value.length; index += 1) {
      const error = item(value[index], `${field}[${index}]`);
      if (error !== undefined) return error;
    }
    return undefined;
  };
}

export function nonEmptyList(item: Check): Check {
  const check = list(item);
  return (value, field) =>
    Array.isArray(value) && value.length === 0 ? wrong(field, "must not be empty") : check(value, field);
}

export function literal(expected: string): { check: Check } {
  return { check: (value, field) => (value === expected ? undefined : wrong(field, `must be "${expected}"`)) };
}

export function stringOfLength(min: number, max: number): Check {
  return (value, field) => {
    if (typeof value !== "string") return wrong(field, "must be a string");
    if (value.length < min) return wrong(field, "must not be empty");
    return value.length > max ? wrong(field, `must not be longer than ${max} characters`) : undefined;
  };
}

export function numberUpTo(max: number): Check {
  return (value, field) =>
    typeof value === "number" && value >= 0 && value <= max
      ? undefined
      : wrong(field, `must be a number from 0 to ${max}`);
}

export function positiveInteger(value: unknown, field: string): FieldError | undefined {
  return Number.isSafeInteger(value) && typeof value === "number" && value >= 1
    ? undefined
    : wrong(field, "must be a whole number, at least 1");
}

export function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function join(field: string, name: string): string {
  return field === "" ? name : `${field}.${name}`;
}

export function wrong(field: string, message: string): FieldError {
  return { field, message };
}
