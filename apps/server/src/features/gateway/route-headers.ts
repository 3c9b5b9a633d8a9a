import type { RouteStep } from "../../gateway-types.ts";

export type AnswerWay = {
  /** The last that was found. */
  readonly step: RouteStep | undefined;
  /** How many were asked. */
  readonly attempts: number;
  /** What of the request the last one did not hear of. */
  readonly leftOut: readonly string[];
  /** Takes what this process keeps secret out of a text. */
  readonly redact: (text: string) => string;
};

/** Clients choose the names: so many are told, each so long. */
const MAX_LEFT_OUT = 20;
const MAX_FIELD = 60;

/** Where an answer or an error comes from and why, and what the model did not hear of: nothing is dropped in silence. */
export function routeHeaders({ step, attempts, leftOut, redact }: AnswerWay): Readonly<Record<string, string>> {
  const { upstream = "", model = "", reason = "" } = step ?? {};
  // The client chooses the name of the model, which may be anything, and the reason may repeat it.
  const route = redact(`${upstream}/${model}${reason === "" ? "" : `; ${reason}`}`);
  const headers = { "x-loom-route": headerText(route), "x-loom-attempts": String(attempts) };
  if (leftOut.length === 0) return headers;
  const names = leftOut.slice(0, MAX_LEFT_OUT).map((name) => headerText(name.slice(0, MAX_FIELD)));
  return { ...headers, "x-loom-left-out": names.join(", ") };
}

const PRINTABLE = /^[\x20-\x7e]*$/;

function headerText(text: string): string {
  return PRINTABLE.test(text) ? text : text.replaceAll(/[^\x20-\x7e]/g, "?");
}
