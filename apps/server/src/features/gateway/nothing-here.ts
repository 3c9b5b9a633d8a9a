import type { Dialect } from "../../gateway-types.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import { isAmbiguousPath } from "./target.ts";

/** Whom a provider's own paths are for, as far as they are no work with models. */
const FOR_ADMINISTRATORS =
  "all but asking models and listing them, such as files, batches and fine-tuning, is for the owner and for tokens with the scope admin";

export const NOT_FOR_EVERYBODY = `At a provider, ${FOR_ADMINISTRATORS}: ask with one of those.`;

/** There is nothing at a path, and what may have been meant by it. `dialect`: of whoever asked. */
export function nothingHere(path: string, dialect: Dialect): ProblemError {
  return new ProblemError("not_found", `There is nothing at this path${hint(path, dialect)}`);
}

function hint(path: string, dialect: Dialect): string {
  if (path.includes("//")) return ": it has two slashes in a row, perhaps because the base URL ends with one.";
  if (path.endsWith("/")) return ": it ends with a slash; leave that away.";
  const twice = /(\/v\d+(?:(?:alpha|beta)\d*)?)\/v\d+(?:(?:alpha|beta)\d*)?\//.exec(path)?.[1];
  if (twice !== undefined) return `: the base URL has one ${twice} too many.`;
  if (isAmbiguousPath(path)) return ": it could be read in two ways.";
  const provider = dialect === "loom" ? undefined : PROVIDERS[dialect];
  const [, prefix, rest = ""] = PATH.exec(path) ?? [];
  if (provider === undefined || prefix === "proxy") return "; GET /api/openapi.json lists what there is.";
  const shown = prefix === undefined ? "" : `, as in /proxy/${provider}${rest}`;
  return `: models are asked, counted for and listed here, in the words of any provider. The rest is beneath /proxy/${provider}${shown}; there, ${FOR_ADMINISTRATORS}.`;
}

const PATH = /^\/(\w+)((?:\/[\w.:~-]+){1,8})$/;

const PROVIDERS = { anthropic: "anthropic", chat: "openai", responses: "openai", gemini: "gemini" } as const;
