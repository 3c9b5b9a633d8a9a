import type { JsonObject, ThinkingBlock } from "@loom/core";
import { asArray, asCount, asObject, asText, parseJsonObject } from "./json-reader.ts";

/**
 * Another dialect's seal, on its way through a client that only keeps it: wrapped, so that it is never taken for one of
 * the client's own dialect and comes back to the provider that made it. `call` seals the tool call `callId`, for dialects
 * whose calls have no place for it.
 */
export type ForeignSeal = {
  readonly kind: "signature" | "redacted" | "call";
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
  const data = asText(json?.data);
  const dialect = asText(json?.dialect);
  const callId = asText(json?.callId);
  const text = asText(json?.text);
  const at = asCount(json?.at);
  const textLength = asCount(json?.textLength);
  const more = asArray(json?.more).flatMap((each) => readSeal(asObject(each)) ?? []);
  const kind = json?.kind;
  if (data === undefined || (kind !== "signature" && kind !== "redacted" && kind !== "call")) return undefined;
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

/** The seal of a thought as a client of the dialect `own` is given it: bare where it is that dialect's, else wrapped. */
export function sealToClient(thought: Omit<ThinkingBlock, "type" | "text">, own: string): string | undefined {
  const { signature, redactedData, dialect } = thought;
  const data = signature ?? redactedData;
  if (data === undefined || dialect === own) return data;
  const kind = signature === undefined ? "redacted" : "signature";
  return wrapSeal({ kind, data, ...(dialect === undefined ? {} : { dialect }) });
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
    ...(kind === "redacted" ? { redactedData: data } : { signature: data }),
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
