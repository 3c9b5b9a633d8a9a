import type { JsonObject, JsonValue } from "@loom/core";
import { asArray, asObject, asText } from "../json-reader.ts";

/**
 * What OpenRouter seals of its models' thoughts: a list, of which a stream sends pieces. Pieces of one text or summary
 * follow each other, and make one entry again.
 */
export class ReasoningDetails {
  #list: JsonObject[] = [];
  /** Characters of all that ever came. */
  size = 0;

  get isEmpty(): boolean {
    return this.#list.length === 0;
  }

  read(value: JsonValue | undefined): void {
    for (const item of asArray(value)) {
      const piece = asObject(item);
      if (piece === undefined) continue;
      this.size += JSON.stringify(piece).length;
      const last = this.#list.at(-1);
      const joined = last === undefined ? undefined : join(last, piece);
      if (joined === undefined) this.#list.push(piece);
      else this.#list[this.#list.length - 1] = joined;
    }
  }

  /** The list as a seal, which begins anew; `undefined` where nothing in it is sealed. */
  take(): string | undefined {
    if (!this.#list.some(({ signature, data }) => asText(signature ?? data) !== undefined)) return undefined;
    const seal = JSON.stringify(this.#list);
    this.#list = [];
    return seal;
  }
}

/** The entries of a seal; none where it is another server's. */
export function detailsOf(seal: string): readonly JsonObject[] {
  try {
    const list: JsonValue = JSON.parse(seal);
    return asArray(list)
      .map(asObject)
      .filter((item) => item !== undefined);
  } catch {
    return [];
  }
}

/** `undefined` where the piece is an entry of its own. What is sealed is whole. */
function join(last: JsonObject, piece: JsonObject): JsonObject | undefined {
  const { type, index } = last;
  if (type !== piece.type || index !== piece.index || asText(last.signature) !== undefined) return undefined;
  if (asText(last.id ?? piece.id) !== asText(piece.id ?? last.id)) return undefined;
  const field = type === "reasoning.text" ? "text" : type === "reasoning.summary" ? "summary" : undefined;
  if (field === undefined) return undefined;
  const given = Object.fromEntries(Object.entries(piece).filter(([, value]) => value !== null));
  return { ...last, ...given, [field]: (asText(last[field]) ?? "") + (asText(piece[field]) ?? "") };
}
