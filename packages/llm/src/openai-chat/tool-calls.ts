import type { JsonObject, JsonValue, LlmEvent, ToolUseBlock } from "@loom/core";
import { derivedId } from "../derived-id.ts";
import { asArray, asCount, asObject, asText, parseJsonObject } from "../json-reader.ts";
import { toolUseFromText } from "../tool-input.ts";
import { sealOfCall } from "./read-content.ts";

/** A tool call while its fragments come in. */
type GrowingCall = {
  /** Unlike that of any other call of the answer; fixed at the first fragment. */
  readonly id: string;
  /** The id the server gave, which several calls may share. */
  sentId: string | undefined;
  name: string;
  argumentsText: string;
  /** A seal, in any of its fragments. */
  signature?: string;
};

type Fragment = {
  readonly signature?: string;
  readonly id?: string;
  readonly name?: string;
  readonly argumentsText: string;
};

/** A name for a call that came without one, so that the model can be told that there is no such tool. */
const NAMELESS = "unknown";

/**
 * Tool calls from the fragments of `delta.tool_calls`. By the book a call is known by its index, and id and name come in
 * its first fragment. Servers exist that leave out the index, the id or both, that number every call 0, that give one id
 * to several calls, and that repeat id and name in every fragment, or the whole call at the end: all give the same calls.
 */
export class ToolCallReader {
  readonly #calls: GrowingCall[] = [];
  readonly #byIndex = new Map<number, GrowingCall>();
  readonly #bySentId = new Map<string, GrowingCall>();
  readonly #ids = new Set<string>();
  #size = 0;

  get isEmpty(): boolean {
    return this.#calls.length === 0;
  }

  /** Characters of ids, names and arguments. */
  get size(): number {
    return this.#size;
  }

  /** `answerId` makes up ids where the server gives none, the same ones for the same answer. */
  read(list: JsonValue | undefined, answerId: string, out: LlmEvent[]): void {
    for (const [position, item] of asArray(list).entries()) {
      const wire = asObject(item);
      if (wire !== undefined) this.#readOne(wire, position, answerId, out);
    }
  }

  calls(): ToolUseBlock[] {
    return this.#calls.map(({ id, name, argumentsText, signature }) => ({
      ...toolUseFromText(id, name || NAMELESS, argumentsText),
      ...(signature === undefined ? {} : { signature }),
    }));
  }

  #readOne(wire: JsonObject, position: number, answerId: string, out: LlmEvent[]): void {
    const fragment = fragmentOf(wire);
    const index = asCount(wire.index);
    const current = this.#current(index, fragment, position);
    if (current !== undefined && repeats(current, fragment)) return;
    if (current === undefined && index === undefined && fragment.id === undefined && fragment.name === undefined)
      return;
    const isNew = current === undefined || startsAnother(current, fragment);
    const call = isNew ? this.#open(fragment, answerId) : current;
    if (fragment.signature !== undefined) call.signature = fragment.signature;
    if (index !== undefined) this.#byIndex.set(index, call);
    if (fragment.id !== undefined) {
      call.sentId = fragment.id;
      this.#bySentId.set(fragment.id, call);
    }
    const nameless = call.name === "";
    if (nameless) call.name = fragment.name ?? "";
    call.argumentsText += fragment.argumentsText;
    this.#size += fragment.argumentsText.length;
    // Nothing is told of a call before its name is known.
    if (call.name === "" || (!nameless && fragment.argumentsText === "")) return;
    const argumentsFragment = nameless ? call.argumentsText : fragment.argumentsText;
    out.push({ type: "tool_call_delta", callId: call.id, name: call.name, argumentsFragment });
  }

  /** The call that a fragment goes on with, if it is not the start of another one. */
  #current(index: number | undefined, { id, name }: Fragment, position: number): GrowingCall | undefined {
    if (index !== undefined) return this.#byIndex.get(index);
    if (id !== undefined) return this.#bySentId.get(id);
    // Two named calls in one chunk are two calls.
    return name !== undefined && position > 0 ? undefined : this.#calls.at(-1);
  }

  #open({ id, name = "" }: Fragment, answerId: string): GrowingCall {
    const nth = this.#calls.length;
    const madeUp = answerId === "" ? `call_${nth}` : `call_${derivedId(answerId)}_${nth}`;
    const call = { id: this.#unique(id ?? madeUp), sentId: id, name: "", argumentsText: "" };
    this.#calls.push(call);
    this.#size += name.length + call.id.length;
    return call;
  }

  #unique(id: string): string {
    let unique = id;
    for (let n = 2; this.#ids.has(unique); n++) unique = `${id}_${n}`;
    this.#ids.add(unique);
    return unique;
  }
}

function fragmentOf(wire: JsonObject): Fragment {
  const id = asText(wire.id);
  const called = asObject(wire.function);
  const name = asText(called?.name);
  const given = called?.arguments;
  // Some servers give the arguments as the object itself.
  const object = asObject(given);
  const argumentsText = object !== undefined ? JSON.stringify(object) : (asText(given) ?? "");
  return {
    ...sealOfCall(wire),
    ...(id === undefined ? {} : { id }),
    ...(name === undefined ? {} : { name }),
    argumentsText,
  };
}

/** The whole call once more. */
function repeats(call: GrowingCall, { id, name, argumentsText }: Fragment): boolean {
  return id !== undefined && id === call.sentId && name === call.name && isWhole(argumentsText, call);
}

function isWhole(argumentsText: string, call: GrowingCall): boolean {
  return argumentsText === call.argumentsText && parseJsonObject(argumentsText) !== undefined;
}

/** Whether a fragment that points at `call` is the start of a new one. Only a fragment with a name can be. */
function startsAnother(call: GrowingCall, { id, name, argumentsText }: Fragment): boolean {
  if (name === undefined || call.name === "") return false;
  if (id !== undefined && call.sentId !== undefined && id !== call.sentId) return true;
  if (name !== call.name) return true;
  return argumentsText.startsWith("{") && parseJsonObject(call.argumentsText) !== undefined;
}
