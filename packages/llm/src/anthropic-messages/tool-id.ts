import { derivedId } from "../derived-id.ts";

const ALLOWED = /^[a-zA-Z0-9_-]+$/;
const NOT_ALLOWED = /[^a-zA-Z0-9_-]/g;
const MAX_KEPT = 40;

/**
 * The id of a tool call as this provider takes it: letters, digits, `_` and `-`. A conversation that began with another
 * provider may hold others (`functions.bash:0`). The same id always gives the same, so call and result still match.
 */
export function toolIdToWire(id: string): string {
  if (ALLOWED.test(id)) return id;
  return `${id.slice(0, MAX_KEPT).replace(NOT_ALLOWED, "_")}_${derivedId(id)}`;
}
