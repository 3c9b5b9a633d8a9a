import type { AssistantContent, JsonObject, LlmEvent } from "@loom/core";
import { asArray, asObject, asText } from "../json-reader.ts";
import { toolUseFromText } from "../tool-input.ts";
import { nameInNamespace, nameOfTextTool, textToolUse } from "./tool-name.ts";

/** One item of `response.output` while it grows. Every reader adds what is new to `out`. */
export type AnswerItem = {
  readonly type: string;
  /** Characters so far. */
  readonly size: number;
  /** More of a part, by its kind and index. */
  add(part: string, text: string, out: LlmEvent[]): void;
  /** A whole part: what of it was not told yet is told now. An empty one says nothing. */
  whole(part: string, text: string, out: LlmEvent[]): void;
  /** The item itself: as it begins, as it ends, or as the response at the end of a stream repeats it. */
  read(item: JsonObject, stage: ItemStage, out: LlmEvent[]): void;
  content(): AssistantContent[];
};

export type ItemStage = "added" | "done" | "repeated";

/** A name for a call that came without one, so that the model can be told that there is no such tool. */
const NAMELESS = "unknown";
const ARGUMENTS = "arguments";

/** `uniqueId` gives a call an id that no other call of the answer has, close to the one wished for. */
export function openItem(type: string, uniqueId: (wish: string | undefined) => string): AnswerItem {
  switch (type) {
    case "message":
      return new MessageItem();
    case "reasoning":
      return new ReasoningItem();
    case "function_call":
    case "custom_tool_call":
      return new CallItem(type, uniqueId);
    default:
      return new OpaqueItem(type);
  }
}

/** Texts in the order in which their parts began. */
class Parts {
  readonly #texts = new Map<string, string>();
  size = 0;

  get count(): number {
    return this.#texts.size;
  }

  get(part: string): string {
    return this.#texts.get(part) ?? "";
  }

  has(part: string): boolean {
    return this.#texts.has(part);
  }

  add(part: string, text: string): void {
    this.size += text.length;
    this.#texts.set(part, this.get(part) + text);
  }

  /** What of the whole part is new. A whole that contradicts its own deltas is believed, but not told twice. */
  settle(part: string, whole: string): string {
    const known = this.get(part);
    this.size += whole.length - known.length;
    this.#texts.set(part, whole);
    return whole.startsWith(known) ? whole.slice(known.length) : "";
  }

  entries(): [part: string, text: string][] {
    return [...this.#texts];
  }
}

class MessageItem implements AnswerItem {
  readonly type = "message";
  readonly #parts = new Parts();

  get size(): number {
    return this.#parts.size;
  }

  add(part: string, text: string, out: LlmEvent[]): void {
    if (text === "") return;
    this.#parts.add(part, text);
    out.push({ type: "text_delta", text });
  }

  whole(part: string, text: string, out: LlmEvent[]): void {
    if (text === "") return;
    const fresh = this.#parts.settle(part, text);
    if (fresh !== "") out.push({ type: "text_delta", text: fresh });
  }

  read(item: JsonObject, _stage: ItemStage, out: LlmEvent[]): void {
    if (typeof item.content === "string") this.whole(partKey("text", 0), item.content, out);
    for (const [index, value] of asArray(item.content).entries()) {
      const part = asObject(value) ?? {};
      if (part.type === "refusal") this.whole(partKey("refusal", index), asText(part.refusal) ?? "", out);
      else this.whole(partKey("text", index), asText(part.text) ?? "", out);
    }
  }

  /** Whether the model declined, in a part of its own. */
  get refused(): boolean {
    return this.#parts.entries().some(([part]) => part.startsWith("refusal"));
  }

  content(): AssistantContent[] {
    return this.#parts.entries().map(([, text]) => ({ type: "text", text }));
  }
}

class ReasoningItem implements AnswerItem {
  readonly type = "reasoning";
  readonly #parts = new Parts();
  #seal = "";

  get size(): number {
    return this.#parts.size + this.#seal.length;
  }

  add(part: string, text: string, out: LlmEvent[]): void {
    if (text === "") return;
    const opens = !this.#parts.has(part) && this.#parts.count > 0;
    this.#parts.add(part, text);
    out.push({ type: "thinking_delta", text: opens ? `\n\n${text}` : text });
  }

  whole(part: string, text: string, out: LlmEvent[]): void {
    if (text === "") return;
    const opens = !this.#parts.has(part) && this.#parts.count > 0;
    const fresh = this.#parts.settle(part, text);
    if (fresh !== "") out.push({ type: "thinking_delta", text: opens ? `\n\n${fresh}` : fresh });
  }

  read(item: JsonObject, stage: ItemStage, out: LlmEvent[]): void {
    for (const kind of ["summary", "content"] as const) {
      for (const [index, part] of asArray(item[kind]).entries()) {
        this.whole(partKey(kind, index), asText(asObject(part)?.text) ?? "", out);
      }
    }
    const seal = asText(item.encrypted_content);
    if (seal === undefined) return;
    // The last one counts: at first it seals a thought that has not been thought yet. Azure gives it in the end only.
    this.#seal = seal;
    if (stage === "done") out.push({ type: "thinking_signature", signature: seal, dialect: "responses" });
  }

  content(): AssistantContent[] {
    const text = this.#parts
      .entries()
      .map(([, part]) => part)
      .join("\n\n");
    if (this.#seal !== "") return [{ type: "thinking", text, signature: this.#seal, dialect: "responses" }];
    return text === "" ? [] : [{ type: "thinking", text, dialect: "responses" }];
  }
}

/** A call of a function, or of a tool with text for input, which is told when it is whole. */
class CallItem implements AnswerItem {
  readonly type: "function_call" | "custom_tool_call";
  readonly #uniqueId: (wish: string | undefined) => string;
  readonly #parts = new Parts();
  #id = "";
  #name = "";
  #told = false;

  constructor(type: "function_call" | "custom_tool_call", uniqueId: (wish: string | undefined) => string) {
    this.type = type;
    this.#uniqueId = uniqueId;
  }

  get size(): number {
    return this.#parts.size + this.#name.length;
  }

  add(_part: string, text: string, out: LlmEvent[]): void {
    this.#parts.add(ARGUMENTS, text);
    if (this.type === "function_call" && this.#name !== "" && text !== "") this.#tell(text, out);
  }

  whole(_part: string, text: string, out: LlmEvent[]): void {
    if (text === "") return;
    const fresh = this.#parts.settle(ARGUMENTS, text);
    if (this.type === "function_call" && this.#name !== "" && fresh !== "") this.#tell(fresh, out);
  }

  read(item: JsonObject, stage: ItemStage, out: LlmEvent[]): void {
    if (this.#name === "") {
      const name = asText(item.name);
      if (name !== undefined) this.#begin(nameInNamespace(asText(item.namespace), name), item, out);
    }
    const text = this.type === "function_call" ? item.arguments : item.input;
    // Some servers give the arguments as the object itself.
    const object = asObject(text);
    this.whole(ARGUMENTS, object === undefined ? (asText(text) ?? "") : JSON.stringify(object), out);
    if (this.type === "custom_tool_call" && stage !== "added" && !this.#told && this.#name !== "") {
      this.#told = true;
      this.#tell(JSON.stringify({ input: this.#parts.get(ARGUMENTS) }), out);
    }
  }

  content(): AssistantContent[] {
    const id = this.#id === "" ? this.#uniqueId(undefined) : this.#id;
    const text = this.#parts.get(ARGUMENTS);
    if (this.type === "custom_tool_call") return [textToolUse(id, this.#name || NAMELESS, text)];
    return [toolUseFromText(id, this.#name || NAMELESS, text)];
  }

  #begin(name: string, item: JsonObject, out: LlmEvent[]): void {
    this.#name = name;
    this.#id = this.#uniqueId(asText(item.call_id) ?? asText(item.id));
    this.#tell(this.type === "function_call" ? this.#parts.get(ARGUMENTS) : "", out);
  }

  #tell(argumentsFragment: string, out: LlmEvent[]): void {
    const name = this.type === "function_call" ? this.#name : nameOfTextTool(this.#name);
    out.push({ type: "tool_call_delta", callId: this.#id, name, argumentsFragment });
  }
}

/** An item of one of OpenAI's own tools: kept whole. */
class OpaqueItem implements AnswerItem {
  readonly type: string;
  readonly size = 0;
  #item: JsonObject;

  constructor(type: string) {
    this.type = type;
    this.#item = { type };
  }

  add(): void {}

  whole(): void {}

  read(item: JsonObject): void {
    this.#item = item;
  }

  content(): AssistantContent[] {
    return [{ type: "opaque", dialect: "responses", data: this.#item }];
  }
}

/** Names a part within its item. */
export function partKey(kind: "text" | "refusal" | "summary" | "content", index: number): string {
  return `${kind} ${index}`;
}

export function isRefusal(item: AnswerItem): boolean {
  return item instanceof MessageItem && item.refused;
}
