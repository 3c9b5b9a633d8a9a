import { mayBeEscaped, replaceEscaped } from "./escaped-text.ts";
import type { Secret } from "./secret.ts";

/** What stands where a secret stood. */
const REDACTED = "[redacted]";

/**
 * Shorter values are not looked for: a placeholder key such as "none" for a local server would turn ordinary text into
 * noise, and nobody is protected by it.
 */
const MIN_SECRET_LENGTH = 8;

/** Keys that give themselves away by their shape, known to us or not. */
const KEY_SHAPES = [
  String.raw`sk-ant-[\w-]{8,}`,
  String.raw`\bsk-[\w-]{16,}`,
  String.raw`\bAIza[\w-]{30,}`,
  String.raw`\bl[stw]_[\w-]{16,}`,
  // An API key of ours, whole or cut off.
  String.raw`\blk_[\w-]{32,}`,
  // Of invitations and of accounts to restore; shorter ones are words.
  String.raw`\bl[ir]_[\w-]{43}(?![\w-])`,
  String.raw`(?<=\bBearer\s{1,4})[\w.~+/=-]{8,}`,
];

const REGEXP_SYNTAX = /[\\^$.*+?()[\]{}|/]/g;

/**
 * Makes a function that replaces every given secret in a text, in plain, base64 (at any offset, so also inside Basic
 * credentials), base64url, percent and JSON form, with any of its characters escaped as JSON allows, and whatever has the
 * shape of a well-known key. Linear in the text.
 * It sees one text at a time: a secret cut in two by a chunk boundary has to be joined before.
 */
export function createRedactor(secrets: Iterable<Secret>): (text: string) => string {
  const forms = new Set<string>();
  for (const secret of secrets) {
    for (const form of secretForms(secret.expose())) forms.add(form);
  }
  // Longest first, so that a secret which contains another is replaced whole.
  const known = [...forms].sort((a, b) => b.length - a.length).map((form) => form.replace(REGEXP_SYNTAX, "\\$&"));
  const pattern = new RegExp([...known, ...KEY_SHAPES].join("|"), "gi");
  const exact = known.length === 0 ? undefined : new RegExp(known.join("|"), "gi");
  return (text) => {
    const clean = text.replace(pattern, REDACTED);
    return exact === undefined || !mayBeEscaped(clean) ? clean : replaceEscaped(clean, exact, REDACTED);
  };
}

/** `createRedactor` for a single text. */
export function redact(text: string, secrets: Iterable<Secret> = []): string {
  return createRedactor(secrets)(text);
}

/** What a secret looks like in the texts it may stand in; none for what is too short to be looked for. */
export function secretForms(value: string): string[] {
  if (value.length < MIN_SECRET_LENGTH) return [];
  const forms = [value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1)];
  for (const offset of [0, 1, 2]) {
    const standard = base64Within(value, offset);
    forms.push(standard, standard.replaceAll("+", "-").replaceAll("/", "_"));
  }
  return forms;
}

/** The base64 digits that depend on `value` alone when `offset` bytes (modulo 3) come before it. */
function base64Within(value: string, offset: number): string {
  const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(value, "utf8")]);
  const first = Math.ceil((offset * 8) / 6);
  const end = Math.floor((bytes.length * 8) / 6);
  return bytes.toString("base64").slice(first, end);
}
