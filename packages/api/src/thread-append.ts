import { type Check, fields, nonEmptyList, oneOfTexts, optional, string, wrong } from "./field-checks.ts";
import type { Parsed } from "./llm-request.ts";
import { MAX_RECORDS } from "./threads.ts";

/** Records to go behind a version of a thread. */
type Append = { readonly records: string[]; readonly from?: number };
type CopyWish = { readonly copy?: "records" | undefined };

const texts = nonEmptyList(string);
const records: Check = (value, field) => {
  if (Array.isArray(value) && value.length > MAX_RECORDS) {
    return wrong(field, `must not be more than ${MAX_RECORDS} records`);
  }
  return texts(value, field);
};
const version: Check = (value, field) =>
  Number.isSafeInteger(value) && Number(value) >= 0 ? undefined : wrong(field, "must be a whole number, at least 0");

const append = fields({ records: { check: records }, from: optional(version) });
const copyWish = fields({ copy: optional(oneOfTexts("records")) });

/**
 * The schema of an append by hand: a running turn is told to the server in several of them a second. A property test holds
 * it against the schema. Names the first wrong field only.
 */
export function parseAppend(value: unknown): Parsed<Append> {
  const error = append(value, "");
  return error === undefined ? { ok: true, value: value as Append } : { ok: false, errors: [error] };
}

export function parseCopyWish(value: { readonly [name: string]: string }): Parsed<CopyWish> {
  const error = copyWish(value, "");
  return error === undefined ? { ok: true, value } : { ok: false, errors: [error] };
}
