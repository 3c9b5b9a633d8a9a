import type { JsonObject, LlmEvent, LlmResponse } from "@loom/core";
import type { AnswerIdentity, LlmStreamEncoder } from "../codec.ts";
import { saidOfPart } from "../foreign-part.ts";
import { toolInputText } from "../tool-input.ts";
import { envelope, partsOf } from "./encode-response.ts";
import { failureToWire } from "./failure.ts";
import { finishReasonToWire } from "./finish-reason.ts";
import { usageToWire } from "./usage.ts";

/**
 * Loom's events as `chat.completion.chunk`s: the role in the first one only, then deltas as they come, the finish reason,
 * the token counts in a chunk without choices (if the client wants them), and `[DONE]`. `completed` holds the whole answer, so whatever of it did not
 * come as a delta goes out with it. After an error there is no `[DONE]`, so that nobody takes the half for the whole.
 */
export class OpenAiStreamEncoder implements LlmStreamEncoder {
  readonly #identity: AnswerIdentity;
  /** What a chunk with a delta looks like before the delta; empty until the first one. */
  #head = "";
  #envelope: JsonObject = {};
  #ended = false;
  #sentText = 0;
  #sentThinking = 0;
  readonly #calls = new Map<string, { readonly index: number; sentArguments: boolean }>();

  constructor(identity: AnswerIdentity = {}) {
    this.#identity = identity;
  }

  push(events: readonly LlmEvent[]): string {
    let out = "";
    for (const event of events) {
      if (this.#ended) break;
      out += this.#encode(event);
    }
    return out;
  }

  #encode(event: LlmEvent): string {
    switch (event.type) {
      case "text_delta":
        return this.#start(event) + this.#text(event.text);
      case "thinking_delta":
        return this.#start(event) + this.#thinking(event.text);
      case "tool_call_delta":
        return this.#start(event) + this.#call(event.callId, event.name, event.argumentsFragment);
      // Nothing in this dialect is sealed.
      case "thinking_signature":
      case "thinking_redacted":
        return "";
      case "completed":
        return this.#complete(event.response);
      case "error":
        this.#ended = true;
        return dataLine(failureToWire(event.error));
    }
  }

  #start(first: object, model?: string): string {
    if (this.#head !== "") return "";
    this.#envelope = { ...envelope(this.#identity, first, model), object: "chat.completion.chunk" };
    this.#head = `data: ${JSON.stringify(this.#envelope).slice(0, -1)},"choices":[{"index":0,"delta":`;
    return this.#delta({ role: "assistant", content: "" });
  }

  #text(text: string): string {
    if (text === "") return "";
    this.#sentText += text.length;
    return this.#delta({ content: text });
  }

  #thinking(text: string): string {
    if (text === "") return "";
    this.#sentThinking += text.length;
    return this.#delta({ reasoning_content: text });
  }

  #call(id: string, name: string, fragment: string): string {
    const known = this.#calls.get(id);
    if (known === undefined) {
      const index = this.#calls.size;
      this.#calls.set(id, { index, sentArguments: fragment !== "" });
      return this.#delta({ tool_calls: [{ index, id, type: "function", function: { name, arguments: fragment } }] });
    }
    if (fragment === "") return "";
    known.sentArguments = true;
    return this.#delta({ tool_calls: [{ index: known.index, function: { arguments: fragment } }] });
  }

  #complete(response: LlmResponse): string {
    this.#ended = true;
    const { thinking, calls } = partsOf(response.message);
    let out = this.#start(response, response.model);
    out += this.#thinking(thinking.slice(this.#sentThinking));
    let sent = this.#sentText;
    for (const block of response.message.content) {
      if (block.type === "opaque") out += this.#text(saidOfPart(block));
      if (block.type !== "text") continue;
      out += this.#text(block.text.slice(sent));
      sent = Math.max(0, sent - block.text.length);
    }
    for (const call of calls) {
      if (this.#calls.get(call.id)?.sentArguments !== true) out += this.#call(call.id, call.name, toolInputText(call));
    }
    const finish = { index: 0, delta: {}, logprobs: null, finish_reason: finishReasonToWire(response.stopReason) };
    const last = { ...this.#envelope, ...(response.model === "" ? {} : { model: response.model }) };
    out += dataLine({ ...last, choices: [finish] });
    if (this.#identity.wantsUsage !== false) {
      out += dataLine({ ...last, choices: [], usage: usageToWire(response.usage) });
    }
    return `${out}data: [DONE]\n\n`;
  }

  #delta(delta: JsonObject): string {
    return `${this.#head}${JSON.stringify(delta)},"logprobs":null,"finish_reason":null}]}\n\n`;
  }
}

function dataLine(body: JsonObject): string {
  return `data: ${JSON.stringify(body)}\n\n`;
}
