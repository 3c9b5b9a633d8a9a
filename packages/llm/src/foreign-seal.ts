import type { JsonObject, JsonValue, ThinkingBlock } from "@loom/core";
import { asArray, asCount, asObject, asText, parseJsonObject } from "./json-reader.ts";

/**
 * Another dialect's seal, on its way through a client that only keeps it: wrapped, so that it is never taken for one of
 * the client's own dialect and comes back to the provider that made it. `call` seals the tool call `callId`, for dialects
 * whose calls have no place for it. `unsealed` stands where there is no seal, and says whose thought it is.
 */
export type ForeignSeal = {
  readonly kind: "signature" | "redacted" | "call" | "unsealed";
  readonly data: string;
  /** Absent where nobody said whose it is. */
  readonly dialect?: string;
  readonly callId?: string;
  /** The thought itself, where the client keeps no thoughts but what they led to. */
  readonly text?: string;
  /** Its place there, as the number of characters of text that came before it since the last call. */
  readonly at?: number;
  /** How many characters of text came before the call that this is kept on, since the call before. */
  readonly textLength?: number;
  /** Thoughts that came behind this one and led to the same call. */
  readonly more?: readonly ForeignSeal[];
};

const MARK = "loom1:";

/**
 * What every wrapped seal begins with. Base64, since Gemini takes nothing else. A body that holds it cannot go to a
 * provider byte for byte: the provider would refuse a seal that it did not make.
 */
export const FOREIGN_SEAL: string = btoa(MARK);

export function wrapSeal(seal: ForeignSeal): string {
  return toBase64(MARK + JSON.stringify(seal));
}

/** Whether a seal is a wrapped one, which says nothing to the client's own dialect, even where it cannot be read any more. */
export function isWrapped(seal: string): boolean {
  return seal.startsWith(FOREIGN_SEAL);
}

/** The wrapped seal; `undefined` for one of the dialect's own, and for one that cannot be read any more. */
export function unwrapSeal(seal: string): ForeignSeal | undefined {
  if (!isWrapped(seal)) return undefined;
  return readSeal(parseJsonObject(fromBase64(seal).slice(MARK.length)));
}

function readSeal(json: JsonObject | undefined): ForeignSeal | undefined {
  const dialect = asText(json?.dialect);
  const callId = asText(json?.callId);
  const text = asText(json?.text);
  const at = asCount(json?.at);
  const textLength = asCount(json?.textLength);
  const more = asArray(json?.more).flatMap((each) => readSeal(asObject(each)) ?? []);
  const kind = json?.kind;
  const data = kind === "unsealed" ? "" : asText(json?.data);
  if (data === undefined || !isKind(kind)) return undefined;
  return {
    kind,
    data,
    ...(dialect === undefined ? {} : { dialect }),
    ...(callId === undefined ? {} : { callId }),
    ...(text === undefined ? {} : { text }),
    ...(at === undefined ? {} : { at }),
    ...(textLength === undefined ? {} : { textLength }),
    ...(more.length === 0 ? {} : { more }),
  };
}

function isKind(kind: JsonValue | undefined): kind is ForeignSeal["kind"] {
  return kind === "signature" || kind === "redacted" || kind === "call" || kind === "unsealed";
}

/**
 * The seal of a thought as a client of the dialect `own` is given it: bare where it is that dialect's, else wrapped. A
 * thought without a seal gets one that says so, unless it is the dialect's own. `origin` is the dialect that the answer
 * came in, for thoughts that do not name theirs.
 */
export function sealToClient(
  thought: Omit<ThinkingBlock, "type" | "text">,
  own: string,
  origin?: string,
): string | undefined {
  const { signature, redactedData, dialect } = thought;
  const data = signature ?? redactedData;
  if (data === undefined) return unsealedMark(own, dialect ?? origin);
  if (dialect === own) return data;
  const kind = signature === undefined ? "redacted" : "signature";
  return wrapSeal({ kind, data, ...(dialect === undefined ? {} : { dialect }) });
}

/**
 * What stands for the seal that a thought of the dialect `origin` does not have; nothing towards a client of that dialect,
 * nor where nobody knows whose it is.
 */
export function unsealedMark(own: string, origin: string | undefined): string | undefined {
  return origin === undefined || origin === own ? undefined : wrapSeal({ kind: "unsealed", data: "", dialect: origin });
}

/**
 * The thought that a client of the dialect `own` gives back. Where its seal was wrapped and cannot be read any more, it
 * has none, and is nobody's.
 */
export function thoughtFromClient(text: string, seal: string | undefined, own: string): ThinkingBlock {
  if (seal === undefined) return { type: "thinking", text, dialect: own };
  if (!isWrapped(seal)) return { type: "thinking", text, signature: seal, dialect: own };
  const foreign = unwrapSeal(seal);
  return foreign === undefined ? { type: "thinking", text } : sealedThought(text, foreign);
}

/** A thought with the seal that came wrapped. */
export function sealedThought(text: string, { kind, data, dialect }: ForeignSeal): ThinkingBlock {
  return {
    type: "thinking",
    text,
    ...(kind === "redacted" ? { redactedData: data } : kind === "unsealed" ? {} : { signature: data }),
    ...(dialect === undefined ? {} : { dialect }),
  };
}

const SLICE = 8_192;

function toBase64(text: string): string {
  const bytes = new TextEncoder().encode(text);
  let binary = "";
  for (let at = 0; at < bytes.length; at += SLICE) binary += String.fromCharCode(...bytes.subarray(at, at + SLICE));
  return btoa(binary);
}

/** In either alphabet of RFC 4648: Google's client for Python writes all bytes in the one for URLs. */
function fromBase64(text: string): string {
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return new TextDecoder().decode(Uint8Array.from(binary, (character) => character.charCodeAt(0)));
  } catch {
    return "";
  }
}
