import { derivedId } from "./derived-id.ts";

/**
 * An id of at most `max` characters (at least 20) in the place of a longer one, always the same for the same id: its
 * beginning, and digits derived from the whole.
 */
export function boundedId(id: string, max: number): string {
  return id.length <= max ? id : `${id.slice(0, max - 17)}_${derivedId(id)}`;
}
