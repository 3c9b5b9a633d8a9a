import type { AssistantContent, TextBlock, ThinkingBlock } from "@loom/core";
import { saidOfPart } from "../foreign-part.ts";
import { type ForeignSeal, sealedThought, unwrapSeal, wrapSeal } from "../foreign-seal.ts";

/**
 * Collects what other providers thought and sealed before a call: it goes to the client on the call's own seal, since
 * clients of this dialect give that back and few give back thoughts. With each thought goes its place, as the number of
 * characters of text before it: a client may have the texts in other pieces, and a stream sends all of them before the
 * first call.
 */
export class ThoughtsOnCall {
  #seals: ForeignSeal[] = [];
  #textLength = 0;

  /** A block of the answer; they come in their order. */
  see(block: AssistantContent): void {
    if (block.type === "text") this.#textLength += block.text.length;
    // The client is told of it in a text.
    if (block.type === "opaque" && block.dialect !== "gemini") this.#textLength += saidOfPart(block).length;
    if (block.type !== "thinking" || !isForeign(block)) return;
    const { text, signature, redactedData, dialect } = block;
    this.#seals.push({
      kind: signature === undefined ? "redacted" : "signature",
      data: signature ?? redactedData ?? "",
      ...(dialect === undefined ? {} : { dialect }),
      text,
      at: this.#textLength,
    });
  }

  /** The seal of the call that comes now, which is told what came before; `undefined` where no thought did. */
  take(): string | undefined {
    const [first, ...more] = this.#seals;
    const seal = first === undefined ? undefined : wrapSeal({ ...first, textLength: this.#textLength, more });
    this.#seals = [];
    this.#textLength = 0;
    return seal;
  }
}

export function isForeign({ signature, redactedData, dialect }: ThinkingBlock): boolean {
  return dialect !== "gemini" && (signature !== undefined || redactedData !== undefined);
}

/**
 * The thoughts in a wrapped seal; one without anything where it cannot be read any more, so that it is named as left out.
 */
export function thoughtsOf(wrapped: string): ThinkingBlock[] {
  const seal = unwrapSeal(wrapped);
  if (seal === undefined) return [{ type: "thinking", text: "" }];
  return [seal, ...(seal.more ?? [])].map((one) => sealedThought(one.text ?? "", one));
}

/**
 * Puts the thoughts that come back on a call where they stood, into `blocks`, the answer up to that call. Thoughts that
 * come back without a seal are taken out: they are what the sealed ones say, too. Returns what of the texts belongs
 * behind the call, as one: each call looks at all that came since the call before.
 */
export function placeThoughts(blocks: AssistantContent[], wrapped: string): TextBlock | undefined {
  const seal = unwrapSeal(wrapped);
  if (seal === undefined) {
    blocks.push(...thoughtsOf(wrapped));
    return undefined;
  }
  // The call is another provider's, which thought nothing before it that it sealed.
  if (seal.kind === "unsealed") return undefined;
  const { textLength = Number.POSITIVE_INFINITY, more = [] } = seal;
  const thoughts = [seal, ...more].map((one) => ({ thought: sealedThought(one.text ?? "", one), at: one.at ?? 0 }));
  const start = blocks.findLastIndex(({ type }) => type === "tool_use") + 1;
  const said = blocks.splice(start).filter((block) => block.type !== "thinking" || isSealed(block));
  let length = 0;
  let next = 0;
  let behind = "";
  const placeUpTo = (at: number): void => {
    for (let one = thoughts[next]; one !== undefined && one.at <= at; one = thoughts[++next]) blocks.push(one.thought);
  };
  placeUpTo(0);
  for (const block of said) {
    if (block.type !== "text" || block.signature !== undefined) {
      blocks.push(block);
      continue;
    }
    let rest = block.text;
    while (rest !== "" && length < textLength) {
      const upTo = Math.min(thoughts[next]?.at ?? textLength, textLength);
      const text = rest.slice(0, cutAt(rest, Math.max(upTo - length, 1)));
      blocks.push({ type: "text", text });
      rest = rest.slice(text.length);
      length += text.length;
      placeUpTo(length);
    }
    behind += rest;
  }
  placeUpTo(Number.POSITIVE_INFINITY);
  return behind === "" ? undefined : { type: "text", text: behind };
}

/** Behind a character, and not in the middle of one: a client may have trimmed the text, and the place is no longer where it was. */
function cutAt(text: string, at: number): number {
  return (text.codePointAt(at - 1) ?? 0) > 0xffff ? at + 1 : at;
}

function isSealed({ signature, redactedData }: ThinkingBlock): boolean {
  return signature !== undefined || redactedData !== undefined;
}
