import { ProblemError } from "../../kit/problem-reply.ts";
import { modelInDialect } from "./model-list.ts";

/** Which part of the list of models a client of Anthropic wants. */
export type ModelPage = {
  readonly limit: number;
  readonly after: string | undefined;
  readonly before: string | undefined;
};

const MAX_LIMIT = 1_000;

/** `?limit=&after_id=&before_id=`. Without a limit the page is as long as it may be. @throws ProblemError */
export function readPage(query: string): ModelPage {
  const wishes = new URLSearchParams(query);
  const text = wishes.get("limit") ?? String(MAX_LIMIT);
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > MAX_LIMIT) {
    throw new ProblemError("invalid_input", `The parameter limit has to be a number from 1 to ${MAX_LIMIT}.`);
  }
  const after = wishes.get("after_id") ?? undefined;
  const before = wishes.get("before_id") ?? undefined;
  if (after !== undefined && before !== undefined) {
    throw new ProblemError("invalid_input", "Of the parameters after_id and before_id only one may be given.");
  }
  return { limit, after, before };
}

/** That page as Anthropic has it; `undefined` where the model that it begins or ends at is not in the list. */
export function pageOf(names: readonly string[], { limit, after, before }: ModelPage): unknown {
  const place = names.indexOf(after ?? before ?? "");
  if (place === -1 && (after ?? before) !== undefined) return undefined;
  const end = before === undefined ? Math.min(names.length, place + 1 + limit) : place;
  const start = before === undefined ? place + 1 : Math.max(0, place - limit);
  const page = names.slice(start, end);
  return {
    data: page.map((name) => modelInDialect(name, "anthropic")),
    has_more: before === undefined ? end < names.length : start > 0,
    first_id: page[0] ?? null,
    last_id: page.at(-1) ?? null,
  };
}

export function noSuchPlace(): ProblemError {
  return new ProblemError("invalid_input", "The model of after_id or before_id is not in the list.");
}
