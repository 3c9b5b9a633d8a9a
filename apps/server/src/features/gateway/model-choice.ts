import { MODEL_CHOICES } from "./json/keys.ts";
import { type JsonMembers, memberValue } from "./json/members.ts";
import { asObject } from "./json/value.ts";
import type { Asked } from "./passage.ts";
import type { Upstream } from "./upstream.ts";
import { isNative } from "./upstream-request.ts";

/** What OpenRouter's models may use without another model. https://openrouter.ai/docs/guides/features/server-tools */
const HARMLESS_TOOLS: ReadonlySet<unknown> = new Set([
  "openrouter:datetime",
  "openrouter:web_search",
  "openrouter:web_fetch",
]);

/** The field by which the client leaves it to the provider which model answers, if there is one. */
export function modelChoice({ target, question }: Asked, upstream: Upstream, model: string): string | undefined {
  if (model.includes("@preset/")) return "model";
  const top = question?.top;
  // What is translated loses fields that are nothing but this provider's.
  if (top === undefined || !(target.operation === "use" || isNative(target, upstream, model))) return undefined;
  const field = MODEL_CHOICES.find((key) => top.members.has(key) && !isNothing(memberValue(top, key)));
  if (field !== undefined) return field;
  return isOpenRouter(upstream) && asksOtherModels(top) ? "tools" : undefined;
}

function isNothing(value: unknown): boolean {
  return value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

function isOpenRouter({ name, origin }: Upstream): boolean {
  return name === "openrouter" || origin.endsWith("openrouter.ai");
}

/** Advisors, subagents, panels of models. */
function asksOtherModels(top: JsonMembers): boolean {
  const member = top.members.get("tools");
  if (member === undefined) return false;
  const written = top.bytes.subarray(member.start, member.end);
  if (!written.includes("openrouter:") && !written.includes("\\u")) return false;
  const tools = memberValue(top, "tools");
  // More than can be looked through.
  if (!Array.isArray(tools)) return true;
  return tools.some((tool) => {
    const type = asObject(tool)?.type;
    return typeof type === "string" && type.startsWith("openrouter:") && !HARMLESS_TOOLS.has(type);
  });
}
