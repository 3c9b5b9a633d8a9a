import { FOREIGN_SEAL, type ForeignSeal, sealInPlace, THINKING_LEFT_OUT, unwrapSeal } from "@loom/llm";
import type { Edit } from "./body-edits.ts";
import type { JsonMembers } from "./json/members.ts";
import { eachElement, eachMember, isArray, textAt } from "./json/walk.ts";
import type { WireDialect } from "./target.ts";

/** What has to be done to a client's own bytes, and what the provider does not hear of then. */
export type SealEdits = { readonly edits: readonly Edit[]; readonly leftOut: readonly string[] };

export const NO_SEALS: SealEdits = { edits: [], leftOut: [] };

/** Where Gemini counts tokens, a whole request may be in a member. */
const COUNTED = /^generate(?:ContentR|_content_r)equest$/;

const MARK = Buffer.from(`"${FOREIGN_SEAL}`, "latin1");
/**
 * Its last six bytes, which begin with a digit. Node finds up to six by a search for the first one alone, many times as fast
 * as it finds more, where that one is rare; it is not in long bodies, which are pictures and lists of numbers.
 */
const TAIL_AT = MARK.length - 6;
const TAIL = MARK.subarray(TAIL_AT);
/** In bytes. */
const SMALL = 1024 * 1024;
/** Whoever writes the body may write this as often as he likes. */
const MAX_MISSES = 64;

/**
 * Takes out of a client's body, on its way to a provider of the client's dialect, what other providers thought: blocks,
 * items and parts whose seal is wrapped, and messages that would be empty without them. A call of Gemini's dialect stays,
 * with what stands for a seal. Everything else stays byte for byte.
 *
 * A body without a wrapped seal costs one search. Of any other only what holds one is looked into, in a few passes over
 * the bytes. What is not valid JSON there stays as it is, for the provider to refuse. Of members that come twice, each counts.
 */
export function withoutForeignSeals({ bytes, open }: JsonMembers, dialect: WireDialect, model: string): SealEdits {
  const first = indexOfMark(bytes, 0);
  if (first === -1 || dialect === "chat") return NO_SEALS;
  const splicer = new Splicer(bytes, first, { dialect, callSeal: sealInPlace(model) });
  splicer.conversation(open - 1, { isOuter: true });
  return splicer.result();
}

type SplicerOptions = {
  readonly dialect: Exclude<WireDialect, "chat">;
  /** Stands for a call's seal. */
  readonly callSeal: string | undefined;
};

class Splicer {
  readonly #bytes: Buffer;
  readonly #options: SplicerOptions;
  readonly #edits: Edit[] = [];
  #nextMark: number;
  #lost = false;
  #valid = true;

  constructor(bytes: Buffer, firstMark: number, options: SplicerOptions) {
    this.#bytes = bytes;
    this.#nextMark = firstMark;
    this.#options = options;
  }

  result(): SealEdits {
    if (!this.#valid) return NO_SEALS;
    return { edits: this.#edits, leftOut: this.#lost ? [THINKING_LEFT_OUT] : [] };
  }

  /** The object that has the conversation in one of its members. */
  conversation(start: number, { isOuter }: { readonly isOuter: boolean }): void {
    const list = { anthropic: "messages", responses: "input", gemini: "contents" }[this.#options.dialect];
    this.#members(start, (key, _keyStart, from, to) => {
      if (!this.#holdsMark(from, to)) return;
      if (key === list) {
        if (!this.#filter(from, (at) => this.#keepsTurn(at))) this.#replace(from, to, "[]");
      } else if (isOuter && this.#options.dialect === "gemini" && COUNTED.test(key)) {
        this.conversation(from, { isOuter: false });
      }
    });
  }

  #keepsTurn(from: number): boolean {
    switch (this.#options.dialect) {
      case "anthropic":
        return this.#keepsMessage(from, "content", (at) => this.#keepsSealed(at, "signature"));
      case "responses":
        return this.#keepsSealed(from, "encrypted_content");
      case "gemini":
        return this.#keepsMessage(from, "parts", (at) => this.#keepsPart(at));
    }
  }

  #keepsMessage(start: number, list: string, keeps: (start: number) => boolean): boolean {
    let stays = true;
    this.#members(start, (key, _keyStart, from) => {
      if (key === list && isArray(this.#bytes, from) && !this.#filter(from, keeps)) stays = false;
    });
    return stays;
  }

  /** A block or an item: it goes with a seal of another provider's. */
  #keepsSealed(start: number, name: string): boolean {
    let stays = true;
    this.#members(start, (key, _keyStart, from, to) => {
      if (key !== name || !this.#isMark(from)) return;
      if (!this.#unwraps(from, to)) stays = false;
    });
    if (!stays) this.#lost = true;
    return stays;
  }

  /** A thought goes, a call gets what stands for a seal, and anything else loses the seal alone. */
  #keepsPart(start: number): boolean {
    let isThought = false;
    let isCall = false;
    let isEmpty = true;
    let isSealed = false;
    this.#members(start, (key, _keyStart, from, to) => {
      if (isSealName(key) && this.#isMark(from)) {
        const seal = unwrapSeal(textAt(this.#bytes, from, to));
        if (seal !== undefined && this.#isOwn(seal)) return;
        isSealed = true;
        if (seal?.kind !== "unsealed") this.#lost = true;
        return;
      }
      if (key === "thought") isThought = this.#bytes[from] === 0x74;
      else if (key === "functionCall" || key === "function_call") isCall = true;
      if (!(key === "thought" || (key === "text" && to - from === 2))) isEmpty = false;
    });
    if (isSealed && (isThought || isEmpty)) {
      this.#lost = true;
      return false;
    }
    const { callSeal } = this.#options;
    const cut = new Cut(this.#edits);
    this.#members(start, (key, keyStart, from, to) => {
      const isForeign = isSealName(key) && this.#isMark(from) && !this.#unwraps(from, to);
      if (isForeign && isCall && callSeal !== undefined) this.#replace(from, to, JSON.stringify(callSeal));
      cut.see(keyStart, to, !isForeign || (isCall && callSeal !== undefined));
    });
    return cut.end();
  }

  /** Gives a seal of this very dialect back as it was; `false` for any other. */
  #unwraps(from: number, to: number): boolean {
    const seal = unwrapSeal(textAt(this.#bytes, from, to));
    if (seal === undefined || !this.#isOwn(seal)) return false;
    this.#replace(from, to, JSON.stringify(seal.data));
    return true;
  }

  #isOwn({ kind, dialect }: ForeignSeal): boolean {
    return kind === "signature" && dialect === this.#options.dialect;
  }

  /** Takes out the elements of the array at `start` that are not kept; `false`, and no change, where that is all of them. */
  #filter(start: number, keeps: (start: number) => boolean): boolean {
    const cut = new Cut(this.#edits);
    const valid = eachElement(this.#bytes, start, (from, to) => {
      const before = this.#edits.length;
      const stays = !this.#holdsMark(from, to) || keeps(from);
      // Nothing is changed within what goes.
      if (!stays) this.#edits.length = before;
      cut.see(from, to, stays);
    });
    if (!valid) this.#valid = false;
    return cut.end();
  }

  #members(start: number, visit: Parameters<typeof eachMember>[2]): void {
    if (!eachMember(this.#bytes, start, visit)) this.#valid = false;
  }

  #replace(start: number, end: number, text: string): void {
    this.#edits.push({ start, end, text });
  }

  #isMark(at: number): boolean {
    return isMarkAt(this.#bytes, at);
  }

  /** To be asked of places in the order in which they begin, so that all the searches are one. */
  #holdsMark(from: number, to: number): boolean {
    if (this.#nextMark < from) {
      const next = indexOfMark(this.#bytes, from);
      this.#nextMark = next === -1 ? Number.POSITIVE_INFINITY : next;
    }
    return this.#nextMark < to;
  }
}

function isMarkAt(bytes: Buffer, at: number): boolean {
  return bytes.subarray(at, at + MARK.length).equals(MARK);
}

/** -1 where there is none from there on. */
function indexOfMark(bytes: Buffer, from: number): number {
  if (bytes.length > SMALL) return bytes.indexOf(MARK, from);
  let tail = bytes.indexOf(TAIL, from + TAIL_AT);
  for (let misses = 0; tail !== -1 && !isMarkAt(bytes, tail - TAIL_AT); misses += 1) {
    if (misses === MAX_MISSES) return bytes.indexOf(MARK, tail - TAIL_AT + 1);
    tail = bytes.indexOf(TAIL, tail + 1);
  }
  return tail === -1 ? -1 : tail - TAIL_AT;
}

/** Takes elements or members out of a list of JSON, each with the comma that it leaves too many. */
class Cut {
  readonly #edits: Edit[];
  #keptEnd = -1;
  #cutStart = -1;
  #cutEnd = -1;

  constructor(edits: Edit[]) {
    this.#edits = edits;
  }

  see(from: number, to: number, stays: boolean): void {
    if (!stays) {
      if (this.#cutStart === -1) this.#cutStart = from;
      this.#cutEnd = to;
      return;
    }
    if (this.#cutStart !== -1) this.#edits.push({ start: this.#cutStart, end: from, text: "" });
    this.#cutStart = -1;
    this.#keptEnd = to;
  }

  /** `false`: nothing is left, and nothing was done about it. */
  end(): boolean {
    if (this.#cutStart === -1) return true;
    if (this.#keptEnd === -1) return false;
    this.#edits.push({ start: this.#keptEnd, end: this.#cutEnd, text: "" });
    return true;
  }
}

function isSealName(key: string): boolean {
  return key === "thoughtSignature" || key === "thought_signature";
}
