import type { AssistantContent, JsonObject, LlmEvent, LlmFailure, LlmResponse, StopReason, Usage } from "@loom/core";
import { derivedId } from "../derived-id.ts";
import { providerFailure } from "../http-failure.ts";
import { asArray, asCount, asObject, asText } from "../json-reader.ts";
import { type AnswerItem, type ItemStage, isRefusal, openItem, partKey } from "./answer-item.ts";
import { asksClient } from "./decode-input.ts";
import { failureFromError } from "./failure.ts";
import { usageFromWire } from "./usage.ts";

/** Far more than any model writes: a server that never stops must not fill the memory. */
const MAX_ANSWER_SIZE = 64 * 1024 * 1024;

/** What an event adds to: the kind of item, and of its part. */
const DELTAS: Readonly<Record<string, readonly [item: string, part: "text" | "refusal" | "summary" | "content"]>> = {
  "response.output_text": ["message", "text"],
  "response.refusal": ["message", "refusal"],
  "response.reasoning_summary_text": ["reasoning", "summary"],
  "response.reasoning_text": ["reasoning", "content"],
  "response.function_call_arguments": ["function_call", "text"],
  "response.custom_tool_call_input": ["custom_tool_call", "text"],
};

/**
 * An answer from the events of its stream, or from the response alone. Items are known by their `output_index`: some
 * servers give an item another id in each event. Whatever is missing (deltas, `added`, `done`) is taken from what comes.
 */
export class ResponsesAnswer {
  readonly #items: { readonly index: number; readonly item: AnswerItem; readonly callId: string | undefined }[] = [];
  readonly #byIndex = new Map<number, AnswerItem>();
  readonly #byId = new Map<string, AnswerItem>();
  readonly #callIds = new Set<string>();
  #id = "";
  #response: JsonObject = {};
  #content: AssistantContent[] | undefined;
  #order: AnswerItem[] | undefined;

  /** Whether any part of an answer came. */
  get started(): boolean {
    return this.#id !== "" || this.#items.length > 0;
  }

  get hasItems(): boolean {
    return this.#items.length > 0;
  }

  get isTooLarge(): boolean {
    return this.#items.reduce((sum, { item }) => sum + item.size, 0) > MAX_ANSWER_SIZE;
  }

  /** As far as it was counted. */
  get usage(): Usage {
    return usageFromWire(asObject(this.#response.usage));
  }

  /** Empty until it is named. */
  get model(): string {
    return asText(this.#response.model) ?? "";
  }

  /** `response.created` and its like, which say who answers. */
  begin(response: JsonObject): void {
    this.#id ||= asText(response.id) ?? "";
    this.#response = response;
  }

  readItem(event: JsonObject, stage: ItemStage, out: LlmEvent[]): void {
    const item = asObject(event.item);
    if (item === undefined) return;
    const index = asCount(event.output_index);
    const type = asText(item.type) ?? "message";
    const known = stage === "added" ? undefined : this.#find(index, asText(item.id), type);
    const target = known ?? this.#open(type, index, item);
    target.read(item, stage, out);
  }

  /** `….delta` and `….done` of a part. */
  readPart(event: JsonObject, name: string, whole: boolean, out: LlmEvent[]): void {
    const target = DELTAS[name];
    if (target === undefined) return;
    const [type, part] = target;
    const index = asCount(event.output_index);
    const item =
      this.#find(index, asText(event.item_id), type) ?? this.#open(type, index, { id: event.item_id ?? null });
    const key = partKey(part, asCount(event.content_index) ?? asCount(event.summary_index) ?? 0);
    if (!whole) item.add(key, asText(event.delta) ?? "", out);
    else item.whole(key, asText(event.text ?? event.refusal ?? event.arguments ?? event.input) ?? "", out);
  }

  /**
   * The response as it is at the end. Its output may be empty, or lack what the stream told; items that the stream told
   * are met again by kind and order.
   */
  finish(response: JsonObject, out: LlmEvent[]): void {
    this.#id ||= asText(response.id) ?? "";
    this.#response = { ...this.#response, ...response };
    const told = this.#sorted();
    const order: AnswerItem[] = [];
    for (const value of asArray(response.output)) {
      const item = asObject(value);
      if (item === undefined) continue;
      const type = asText(item.type) ?? "message";
      const callId = asText(item.call_id);
      const at = told.findIndex(
        (each) => each.item.type === type && (each.callId === undefined || each.callId === callId),
      );
      const target = at < 0 ? this.#open(type, undefined, item) : told.splice(at, 1)[0]?.item;
      if (target === undefined) continue;
      target.read(item, "repeated", out);
      order.push(target);
    }
    this.#order = [...order, ...told.map(({ item }) => item)];
  }

  /** Set where the response is none: it failed, or is not there yet. */
  get failure(): LlmFailure | undefined {
    const { error, status } = this.#response;
    const body = asObject(error);
    if (body !== undefined) return failureFromError(body);
    if (status === "failed" || status === "cancelled") return providerFailure({ code: "overloaded", said: status });
    return undefined;
  }

  response(): LlmResponse {
    const items = this.#order ?? this.#sorted().map(({ item }) => item);
    this.#content ??= items.flatMap((item) => item.content());
    return {
      message: { role: "assistant", content: this.#content },
      stopReason: this.#stopReason(this.#content, items.some(isRefusal)),
      usage: this.usage,
      model: this.model,
    };
  }

  #stopReason(content: readonly AssistantContent[], refused: boolean): StopReason {
    const reason = asText(asObject(this.#response.incomplete_details)?.reason);
    if (this.#response.status === "incomplete" || reason !== undefined) {
      if (reason === "content_filter") return "refusal";
      return reason === undefined || /max|token|length/.test(reason) ? "max_tokens" : "unknown";
    }
    if (refused) return "refusal";
    const asks = content.some(
      (block) => block.type === "tool_use" || (block.type === "opaque" && asksClient(block.data)),
    );
    return asks ? "tool_use" : "end_turn";
  }

  #find(index: number | undefined, id: string | undefined, type: string): AnswerItem | undefined {
    const item =
      (index === undefined ? undefined : this.#byIndex.get(index)) ??
      (id === undefined ? undefined : this.#byId.get(id));
    return item?.type === type ? item : undefined;
  }

  #open(type: string, index: number | undefined, wire: JsonObject): AnswerItem {
    const item = openItem(type, (wish) => this.#uniqueCallId(wish));
    this.#items.push({ index: index ?? this.#items.length, item, callId: asText(wire.call_id) });
    if (index !== undefined) this.#byIndex.set(index, item);
    const id = asText(wire.id);
    if (id !== undefined) this.#byId.set(id, item);
    return item;
  }

  #sorted() {
    return this.#items.toSorted((a, b) => a.index - b.index);
  }

  #uniqueCallId(wish: string | undefined): string {
    const nth = this.#callIds.size;
    const base = wish ?? (this.#id === "" ? `call_${nth}` : `call_${derivedId(this.#id)}_${nth}`);
    let id = base;
    for (let n = 2; this.#callIds.has(id); n++) id = `${base}_${n}`;
    this.#callIds.add(id);
    return id;
  }
}
