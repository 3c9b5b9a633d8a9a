import type { JsonObject } from "@loom/core";
import type { ScopedMemory } from "@loom/llm";
import { memberValue, skipBlanks } from "./json/members.ts";
import { eachElement, eachMember, isArray, textAt } from "./json/walk.ts";
import type { GatewayParts } from "./parts.ts";
import type { Question } from "./question.ts";
import type { Target } from "./target.ts";

const REFERENCE = "item_reference";
const MARK = Buffer.from(`"${REFERENCE}"`, "latin1");
const OPEN = Buffer.from("[", "latin1");
const COMMA = Buffer.from(",", "latin1");
const CLOSE = Buffer.from("]", "latin1");

/** Whether a client of Responses takes it that its answer is kept, and may name the items of it in place of sending them. */
export function mayReferBack({ dialect }: Target, { top }: Question): boolean {
  return dialect === "responses" && top !== undefined && memberValue(top, "store") !== false;
}

/** Keeps the items of one answer for who asked. */
export function keptFor(subject: string, { items }: Pick<GatewayParts, "items">) {
  return (id: string, item: JsonObject): void => {
    const text = JSON.stringify(item);
    items.keep(subject, id, text, text.length);
  };
}

/**
 * The body with the items themselves in the place of references to them, as far as they are known to be this subject's:
 * whoever reads it further, the provider included, gets what a client sends that refers to nothing. An item that is named
 * again is there already, and its second reference goes. All else stays byte for byte, also what is not valid JSON.
 */
export function withIssuedItems(body: Buffer, subject: string, items: ScopedMemory<string>): Buffer {
  if (!items.has(subject) || !body.includes(MARK)) return body;
  let result = body;
  let lists = 0;
  const valid = eachMember(body, skipBlanks(body, 0), (key, _keyStart, from, to) => {
    if (key !== "input" || !isArray(body, from)) return;
    lists += 1;
    const elements = elementsOf(body, from, (id) => items.recall(subject, id));
    if (elements === undefined) return;
    const list = elements.flatMap((element, index) => (index === 0 ? [element] : [COMMA, element]));
    result = Buffer.concat([body.subarray(0, from), OPEN, ...list, CLOSE, body.subarray(to)]);
  });
  // Of two lists, readers differ in which they believe.
  return valid && lists === 1 ? result : body;
}

/** `undefined`: none of them is a reference to an item that is known, or the list is not valid JSON. */
function elementsOf(
  body: Buffer,
  start: number,
  itemOf: (id: string) => string | undefined,
): readonly Buffer[] | undefined {
  const elements: Buffer[] = [];
  const seen = new Set<string>();
  const valid = eachElement(body, start, (from, to) => {
    const element = body.subarray(from, to);
    const id = element.length > MAX_REFERENCE ? undefined : referredTo(body, from);
    if (id !== undefined && seen.has(id)) return;
    const item = id === undefined ? undefined : itemOf(id);
    if (id === undefined || item === undefined) {
      elements.push(element);
      return;
    }
    seen.add(id);
    elements.push(Buffer.from(item, "utf8"));
  });
  return valid && seen.size > 0 ? elements : undefined;
}

/** In bytes: a type and an id, and some blanks. */
const MAX_REFERENCE = 1024;

/** The id that an item stands for which is nothing but a reference. */
function referredTo(body: Buffer, start: number): string | undefined {
  let id = "";
  let isReference = false;
  eachMember(body, start, (key, _keyStart, from, to) => {
    if (key === "type") isReference = textAt(body, from, to) === REFERENCE;
    else if (key === "id") id = textAt(body, from, to);
  });
  return isReference && id !== "" ? id : undefined;
}
