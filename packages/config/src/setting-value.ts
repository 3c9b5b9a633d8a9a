import { isAbsolute, join, resolve } from "node:path";
import type { SettingKind, SettingValue } from "./schema.ts";

/** Either the value, or what is asked for instead: the end of "… must be". */
export type Checked = { readonly value: SettingValue } | { readonly mustBe: string };

/** What relative paths are relative to, and what `~/` stands for. */
export type PathBase = { readonly directory: string; readonly home: string | undefined };

/** Reads a value that came as text: a variable, a flag. Lists are separated by commas. */
export function valueFromText(kind: SettingKind, text: string, base: PathBase): Checked {
  switch (kind.type) {
    case "integer":
    case "seconds":
      return checkNumber(kind, /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined);
    case "boolean":
      return checkBoolean(booleanFromText(text));
    case "strings":
      return {
        value: text
          .split(",")
          .map((item) => item.trim())
          .filter((item) => item !== ""),
      };
    default:
      return valueFromToml(kind, text, base);
  }
}

/** Checks a value that a TOML file gave. */
export function valueFromToml(kind: SettingKind, value: unknown, base: PathBase): Checked {
  switch (kind.type) {
    case "integer":
    case "seconds":
      return checkNumber(kind, typeof value === "number" ? value : undefined);
    case "boolean":
      return checkBoolean(typeof value === "boolean" ? value : undefined);
    case "strings":
      return Array.isArray(value) && value.every((item) => typeof item === "string")
        ? { value }
        : { mustBe: "a list of strings" };
    case "choice":
      return typeof value === "string" && kind.values.includes(value)
        ? { value }
        : { mustBe: `one of ${kind.values.filter((choice) => choice !== "").join(", ")}` };
    case "string":
      return typeof value === "string" && value !== "" ? { value } : { mustBe: "a string that is not empty" };
    case "url":
      return typeof value === "string" && (value === "" || isHttpUrl(value))
        ? { value: value.replace(/\/+$/, "") }
        : { mustBe: "an http:// or https:// address without user name or password" };
    case "path":
      return typeof value === "string" ? { value: absolute(value, base) } : { mustBe: "a path" };
  }
}

function checkNumber(kind: SettingKind & { type: "integer" | "seconds" }, value: number | undefined): Checked {
  const whole = kind.type === "seconds" || Number.isInteger(value);
  if (value !== undefined && whole && value >= kind.min && value <= kind.max) return { value };
  const what = kind.type === "seconds" ? "a number of seconds" : "a whole number";
  return { mustBe: `${what} from ${kind.min} to ${kind.max}` };
}

function checkBoolean(value: boolean | undefined): Checked {
  return value === undefined ? { mustBe: "true or false" } : { value };
}

function booleanFromText(text: string): boolean | undefined {
  if (/^(true|1|yes|on)$/i.test(text)) return true;
  if (/^(false|0|no|off)$/i.test(text)) return false;
  return undefined;
}

function isHttpUrl(text: string): boolean {
  const url = URL.parse(text);
  return (
    url !== null &&
    (url.protocol === "http:" || url.protocol === "https:") &&
    url.username === "" &&
    url.password === ""
  );
}

function absolute(path: string, base: PathBase): string {
  if (path === "" || isAbsolute(path)) return path;
  if (path.startsWith("~/") && base.home !== undefined) return join(base.home, path.slice(2));
  return resolve(base.directory, path);
}
