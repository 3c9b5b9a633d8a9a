import type {
  AssistantContent,
  JsonObject,
  JsonValue,
  LlmEvent,
  LlmFailure,
  LlmResponse,
  ThinkingBlock,
  Usage,
} from "@loom/core";
import { IMAGE, SOUND } from "../foreign-part.ts";
import { providerFailure } from "../http-failure.ts";
import { asArray, asCount, asObject, asText } from "../json-reader.ts";
import { mayBeWhole } from "../whole-counts.ts";
import { failureFromBody, isErrorBody } from "./failure.ts";
import { failureCodeOf, stopReasonFromWire } from "./finish-reason.ts";
import { ReasoningDetails } from "./reasoning-details.ts";
import { ToolCallReader } from "./tool-calls.ts";
import { UsageReader } from "./usage.ts";

/** Far more than any model writes: a server that never stops must not fill the memory. */
const MAX_ANSWER_SIZE = 64 * 1024 * 1024;

/**
 * An answer from its chunks, `chat.completion.chunk`, or from one `chat.completion`: the message of that one is read like a
 * delta that holds everything.
 */
export class ChatAnswer {
  readonly #usage = new UsageReader();
  readonly #toolCalls = new ToolCallReader();
  #id = "";
  #model = "";
  #text = "";
  /** The thought that goes on. */
  #thinking = "";
  /** Thoughts that something came behind, and how many of them came before the text. */
  readonly #thoughts: ThinkingBlock[] = [];
  #thoughtsFirst: number | undefined;
  #thoughtSize = 0;
  readonly #details = new ReasoningDetails();
  #refused = false;
  #heard: "nothing" | "sound" | "words" = "nothing";
  #finishReason: string | undefined;
  #started = false;
  #failure: LlmFailure | undefined;
  #counts = 0;
  #countedAtStop = false;
  #goesOn = false;

  /** Whether any part of an answer came. */
  get started(): boolean {
    return this.#started;
  }

  /** Whether the server said why it stopped: after that only token counts come. */
  get finished(): boolean {
    return this.#finishReason !== undefined;
  }

  /** Whether the counts came with the reason to stop or behind it, and nothing else came behind that. */
  get counted(): boolean {
    if (!this.#countedAtStop || this.#goesOn) return false;
    const wrote = this.#text !== "" || this.#thoughtSize > 0 || !this.#toolCalls.isEmpty;
    return mayBeWhole(this.usage, { wrote });
  }

  /** As far as it was counted. */
  get usage(): Usage {
    return this.#usage.usage;
  }

  /** Empty until it is named. */
  get model(): string {
    return this.#model;
  }

  /** Set for good by the first error; the answer is lost then. */
  get failure(): LlmFailure | undefined {
    return this.#failure;
  }

  /** Reads one chunk or body, and adds what is new in it to `out`. */
  read(body: JsonObject, out: LlmEvent[]): void {
    if (isErrorBody(body)) {
      this.#failure = failureFromBody(body);
      return;
    }
    this.#id ||= asText(body.id) ?? "";
    this.#model = asText(body.model) ?? this.#model;
    const wasFinished = this.finished;
    const heard = out.length;
    const counts = this.#counts;
    this.#count(asObject(body.usage) ?? asObject(asObject(body.x_groq)?.usage));
    for (const item of asArray(body.choices)) {
      const choice = asObject(item);
      // One answer was asked for; whoever sends more gets the first one read.
      if (choice !== undefined && (asCount(choice.index) ?? 0) === 0) this.#readChoice(choice, out);
    }
    this.#goesOn ||= wasFinished && out.length > heard;
    this.#countedAtStop ||= this.finished && this.#counts > counts;
    this.#checkSize();
  }

  /** Reads chunks that are, but for this text, the last one over again. */
  addText(text: string, out: LlmEvent[]): void {
    this.#goesOn ||= this.finished && text !== "";
    this.#say(text, out);
    this.#checkSize();
  }

  /** The answer as a whole. What only its end tells is added to `out`. */
  end(out: LlmEvent[]): LlmResponse {
    // Where its words came, too, nothing is lost.
    if (this.#heard === "sound") this.#say(SOUND, out);
    this.#heard = "nothing";
    this.#endThought();
    const first = this.#thoughtsFirst ?? this.#thoughts.length;
    const content: AssistantContent[] = this.#thoughts.slice(0, first);
    if (this.#text !== "") content.push({ type: "text", text: this.#text });
    content.push(...this.#thoughts.slice(first), ...this.#toolCalls.calls());
    const said = { calls: !this.#toolCalls.isEmpty, refusal: this.#refused };
    return {
      message: { role: "assistant", content },
      stopReason: stopReasonFromWire(this.#finishReason, said),
      usage: this.usage,
      model: this.#model,
    };
  }

  #readChoice(choice: JsonObject, out: LlmEvent[]): void {
    // Moonshot counts here.
    this.#count(asObject(choice.usage));
    const delta = asObject(choice.delta);
    // A whole message is an answer of its own, or repeats at the end of a stream what the deltas said.
    const message = this.#started ? undefined : asObject(choice.message);
    this.#started = true;
    if (delta !== undefined) this.#readDelta(delta, out);
    else if (message !== undefined) this.#readDelta(message, out);
    if (isErrorBody(choice)) this.#failure = failureFromBody(choice);
    const reason = asText(choice.finish_reason);
    if (reason === undefined) return;
    this.#finishReason = reason;
    const code = failureCodeOf(reason);
    if (code !== undefined) this.#failure ??= providerFailure({ code, said: reason });
  }

  #count(usage: JsonObject | undefined): void {
    if (usage === undefined) return;
    this.#usage.read(usage);
    this.#counts += 1;
  }

  #readDelta(delta: JsonObject, out: LlmEvent[]): void {
    // Two names for one thing; servers that send both say the same in both.
    this.#think(asText(delta.reasoning_content) ?? asText(delta.reasoning) ?? "", out);
    this.#details.read(delta.reasoning_details);
    this.#readContent(delta.content, out);
    const refusal = asText(delta.refusal);
    if (refusal !== undefined) {
      this.#refused = true;
      this.#say(refusal, out);
    }
    for (const _image of asArray(delta.images)) this.#say(IMAGE, out);
    this.#hear(asObject(delta.audio) ?? {}, out);
    const calls = asArray(delta.tool_calls);
    // The one call of the time before there could be several.
    const only = calls.length === 0 ? asObject(delta.function_call) : undefined;
    if (calls.length > 0 || only !== undefined) this.#settleThought(out);
    this.#toolCalls.read(only === undefined ? calls : [{ index: 0, function: only }], this.#id, out);
  }

  /** Text, or a list of parts as Mistral sends it. */
  #readContent(content: JsonValue | undefined, out: LlmEvent[]): void {
    if (typeof content === "string") {
      this.#say(content, out);
      return;
    }
    for (const item of asArray(content)) {
      const part = asObject(item);
      if (part?.type === "thinking") for (const text of textsIn(part.thinking)) this.#think(text, out);
      else for (const text of textsIn(part?.text)) this.#say(text, out);
    }
  }

  /** Sound has no word of Loom's; what is said in it is text, whose pieces come between those of the sound. */
  #hear({ data, transcript }: JsonObject, out: LlmEvent[]): void {
    const words = asText(transcript);
    if (words !== undefined) this.#heard = "words";
    else if (asText(data) !== undefined && this.#heard === "nothing") this.#heard = "sound";
    this.#say(words ?? "", out);
  }

  #say(text: string, out: LlmEvent[]): void {
    if (text === "") return;
    this.#settleThought(out);
    this.#thoughtsFirst ??= this.#details.size > 0 ? this.#thoughts.length : undefined;
    this.#text += text;
    out.push({ type: "text_delta", text });
  }

  #think(text: string, out: LlmEvent[]): void {
    if (text === "") return;
    this.#thinking += text;
    this.#thoughtSize += text.length;
    out.push({ type: "thinking_delta", text });
  }

  /** Something else comes: what seals the thought before it goes out now. Without seals, all thoughts are one. */
  #settleThought(out: LlmEvent[]): void {
    if (this.#details.isEmpty) return;
    const signature = this.#endThought();
    if (signature !== undefined) out.push({ type: "thinking_signature", signature, dialect: "chat" });
  }

  /** What is not sealed yet may be later, by what comes behind it. */
  #endThought(): string | undefined {
    const signature = this.#details.take();
    const text = this.#thinking;
    this.#thinking = "";
    if (signature !== undefined) this.#thoughts.push({ type: "thinking", text, signature, dialect: "chat" });
    else if (text !== "") this.#thoughts.push({ type: "thinking", text });
    return signature;
  }

  #checkSize(): void {
    const size = this.#text.length + this.#thoughtSize + this.#details.size + this.#toolCalls.size;
    if (size <= MAX_ANSWER_SIZE) return;
    this.#failure = {
      code: "invalid_response",
      message: `The provider sent an answer of more than ${MAX_ANSWER_SIZE} characters: check the provider's address.`,
      retryable: false,
    };
  }
}

function textsIn(value: JsonValue | undefined): string[] {
  if (typeof value === "string") return [value];
  return asArray(value).flatMap((part) => asText(asObject(part)?.text) ?? []);
}
