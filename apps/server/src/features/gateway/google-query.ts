import { ProblemError } from "../../kit/problem-reply.ts";
import type { Target } from "./target.ts";
import type { Upstream } from "./upstream.ts";

/** Google's platform takes each name with a dollar in front as well. https://cloud.google.com/apis/docs/system-parameters */
const ALT = /^\$?alt$/;
const PRETTY = /^\$?prettyPrint$/;
/** Google's older libraries ask for numbers in place of the names of constants. */
const FORMS = /^(?:json|sse|json;enum-encoding=int)$/;

/**
 * The target as Google may see it. Of the parameters that every Google API takes, some leave out of an answer what it
 * cost, or make it no JSON, and some put another request in the place of the one that was looked at here.
 * @throws ProblemError for every parameter that is not known to do neither
 */
export function targetForGoogle(target: Target, upstream: Upstream): Target {
  if (target.query === "" || !(target.dialect === "gemini" || isGoogle(upstream))) return target;
  if (target.operation === "administer" || target.operation === "models") return target;
  const passed: string[] = [];
  let forms = 0;
  for (const part of partsOf(target.query)) {
    const { name, value } = part;
    // How Anthropic's own clients write their address.
    if (target.dialect === "anthropic" && name === "beta") continue;
    const isForm = ALT.test(name) && FORMS.test(value);
    if (isForm) forms += 1;
    if (!(isForm || (PRETTY.test(name) && /^(?:true|false|0|1)$/.test(value))) || forms > 1) throw refused(name);
    passed.push(part.text);
  }
  return { ...target, query: passed.length === 0 ? "" : `?${passed.join("&")}` };
}

/** Whether a client of Gemini wants its stream as events, and not as a list. */
export function asksForEvents(query: string): boolean {
  return partsOf(query).some(({ name, value }) => ALT.test(name) && value === "sse");
}

function isGoogle({ config, origin }: Upstream): boolean {
  return config.kind === "gemini" || config.kind === "vertex" || origin.endsWith(".googleapis.com");
}

function partsOf(query: string): readonly { readonly text: string; readonly name: string; readonly value: string }[] {
  const texts = query.slice(1).split("&");
  return texts
    .filter((text) => text !== "")
    .map((text) => {
      const [[name, value] = ["", ""]] = new URLSearchParams(text);
      return { text, name, value };
    });
}

function refused(name: string): ProblemError {
  const which = JSON.stringify(name.slice(0, 40));
  const problem = `The parameter ${which} of the address is not passed on with that value: Google's answer could lack what it costs, or be none that can be read. Leave it out.`;
  return new ProblemError("invalid_request", problem);
}
