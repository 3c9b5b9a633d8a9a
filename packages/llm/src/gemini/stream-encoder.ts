import type { AssistantContent, JsonObject, LlmEvent, LlmResponse } from "@loom/core";
import { brokenCallIn, isBrokenCall } from "../broken-call.ts";
import type { AnswerIdentity, LlmStreamEncoder } from "../codec.ts";
import { unsealedMark } from "../foreign-seal.ts";
import { callToWire, chunkToWire, modelOf, opaqueToWire } from "./answer-to-wire.ts";
import { answerId } from "./encode-response.ts";
import { failureToWire } from "./failure.ts";
import { finishReasonToWire } from "./finish-reason.ts";
import { isForeign, ThoughtsOnCall } from "./thoughts-on-call.ts";
import { usageToWire } from "./usage.ts";

/**
 * Loom's events as the stream of `alt=sse`: a chunk for each text and thought as it comes. Calls are whole in this dialect,
 * so they go out at the end, with everything else that was not told yet, the finish reason and the token counts; there is no
 * end marker. An error is a bare object behind the events and not an event itself: that is what the official clients throw.
 */
export class GeminiStreamEncoder implements LlmStreamEncoder {
  readonly #identity: AnswerIdentity;
  /** What says whose a thought is that is not this dialect's own. */
  readonly #mark: { readonly thoughtSignature?: string };
  #id = "";
  /** What a chunk looks like before and after its text; empty until the first one. */
  #head = "";
  #tail = "";
  /** What follows the text of a thought. */
  readonly #thought: string;
  #ended = false;
  #sentText = 0;
  #sentThinking = 0;

  constructor(identity: AnswerIdentity = {}) {
    this.#identity = identity;
    const mark = unsealedMark("gemini", identity.origin);
    this.#mark = mark === undefined ? {} : { thoughtSignature: mark };
    this.#thought = `,${JSON.stringify({ thought: true, ...this.#mark }).slice(1, -1)}`;
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
    this.#start(event);
    switch (event.type) {
      case "text_delta":
        this.#sentText += event.text.length;
        return event.text === "" ? "" : this.#text(event.text, "");
      case "thinking_delta":
        this.#sentThinking += event.text.length;
        return event.text === "" ? "" : this.#text(event.text, this.#thought);
      case "thinking_signature":
        return event.dialect === "gemini" ? this.#seal(event.signature) : "";
      case "thinking_redacted":
      case "tool_call_delta":
        return "";
      case "completed":
        this.#ended = true;
        return this.#complete(event.response);
      case "error":
        this.#ended = true;
        return JSON.stringify(failureToWire(event.error));
    }
  }

  #start(first: object): void {
    if (this.#head !== "") return;
    this.#id = answerId(this.#identity, first);
    const chunk = JSON.stringify(chunkToWire(this.#id, modelOf("", this.#identity), { parts: [] }));
    const at = chunk.indexOf('"parts":[') + '"parts":['.length;
    this.#head = `data: ${chunk.slice(0, at)}`;
    this.#tail = `${chunk.slice(at)}\r\n\r\n`;
  }

  /** The one that comes by the thousand, so written out. */
  #text(text: string, thought: string): string {
    return `${this.#head}{"text":${JSON.stringify(text)}${thought}}${this.#tail}`;
  }

  #seal(signature: string): string {
    return `${this.#head}${JSON.stringify({ text: "", thought: true, thoughtSignature: signature })}${this.#tail}`;
  }

  #complete(response: LlmResponse): string {
    const problem = brokenCallIn(response);
    if (problem !== undefined) return JSON.stringify(failureToWire(problem));
    const parts: JsonObject[] = [];
    const thoughts = new ThoughtsOnCall();
    for (const block of response.message.content) {
      thoughts.see(block);
      parts.push(...this.#rest(block, thoughts));
    }
    const candidate = { parts, finishReason: finishReasonToWire(response.stopReason) };
    const chunk = chunkToWire(
      this.#id,
      modelOf(response.model, this.#identity),
      candidate,
      usageToWire(response.usage),
    );
    return `data: ${JSON.stringify(chunk)}\r\n\r\n`;
  }

  /** What of a block of the whole answer has not gone out yet. */
  #rest(block: AssistantContent, thoughts: ThoughtsOnCall): JsonObject[] {
    switch (block.type) {
      case "text": {
        const fresh = block.text.slice(this.#sentText);
        this.#sentText -= block.text.length - fresh.length;
        if (block.signature !== undefined) return [{ text: fresh, thoughtSignature: block.signature }];
        return fresh === "" ? [] : [{ text: fresh }];
      }
      case "thinking": {
        const wasTold = block.text !== "" && this.#sentThinking > 0;
        const fresh = block.text.slice(this.#sentThinking);
        this.#sentThinking -= block.text.length - fresh.length;
        const seal = wasTold || isForeign(block) ? undefined : block.signature;
        if (seal !== undefined) return [{ text: fresh, thought: true, thoughtSignature: seal }];
        return fresh === "" ? [] : [{ text: fresh, thought: true, ...this.#mark }];
      }
      case "tool_use":
        return isBrokenCall(block) ? [] : [callToWire(block, thoughts.take(), this.#identity.origin)];
      case "opaque":
        return opaqueToWire(block);
    }
  }
}
