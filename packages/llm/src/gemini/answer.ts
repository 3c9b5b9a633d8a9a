import type {
  AssistantContent,
  JsonObject,
  LlmEvent,
  LlmFailure,
  LlmResponse,
  OpaqueBlock,
  ToolUseBlock,
  Usage,
} from "@loom/core";
import { derivedId } from "../derived-id.ts";
import { providerFailure } from "../http-failure.ts";
import { asArray, asCount, asObject, asText } from "../json-reader.ts";
import { mayBeWhole } from "../whole-counts.ts";
import { failureFromError } from "./failure.ts";
import { failureOf, stopReasonFromWire } from "./finish-reason.ts";
import { UsageReader } from "./usage.ts";
import { field } from "./wire-field.ts";

/** Far more than any model writes: a server that never stops must not fill the memory. */
const MAX_ANSWER_SIZE = 64 * 1024 * 1024;

/** A name for a call that came without one, so that the model can be told that there is no such tool. */
const NAMELESS = "unknown";

/** Text or a thought while it grows. A part with a seal ends it: what comes next was not sealed with it. */
type GrowingText = { readonly type: "text" | "thinking"; text: string; signature: string | undefined };
type GrowingBlock = GrowingText | ToolUseBlock | OpaqueBlock;

/**
 * An answer from its chunks, each a `GenerateContentResponse`, or from the only one. Calls come whole. A call without an id
 * gets one that is always the same for the same answer.
 */
export class GeminiAnswer {
  readonly #usage = new UsageReader();
  readonly #blocks: GrowingBlock[] = [];
  readonly #callIds = new Set<string>();
  #id = "";
  #model = "";
  #size = 0;
  #finishReason: string | undefined;
  #blocked = false;
  #started = false;
  #failure: LlmFailure | undefined;
  #countedAtStop = false;
  #goesOn = false;

  /** Whether any part of an answer came. */
  get started(): boolean {
    return this.#started;
  }

  /** Whether the provider said why it stopped: after that only token counts come. */
  get finished(): boolean {
    return this.#finishReason !== undefined || this.#blocked;
  }

  /** Whether the counts came with the reason to stop or behind it, and nothing else came behind that. */
  get counted(): boolean {
    if (!this.#countedAtStop || this.#goesOn) return false;
    return mayBeWhole(this.usage, { wrote: this.#size > 0 });
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
  read(chunk: JsonObject, out: LlmEvent[]): void {
    const error = asObject(chunk.error);
    if (error !== undefined) {
      this.#failure = failureFromError(error);
      return;
    }
    this.#id ||= asText(chunk.responseId) ?? "";
    this.#model = asText(chunk.modelVersion) ?? this.#model;
    const wasFinished = this.finished;
    const size = this.#size;
    const usage = asObject(chunk.usageMetadata);
    this.#usage.read(usage);
    if (chunk.candidates !== undefined || chunk.usageMetadata !== undefined) this.#started = true;
    const blocked = asText(asObject(chunk.promptFeedback)?.blockReason);
    if (blocked !== undefined) {
      this.#started = true;
      this.#blocked = true;
    }
    for (const item of asArray(chunk.candidates)) {
      const candidate = asObject(item);
      // One answer was asked for; whoever sends more gets the first one read.
      if (candidate !== undefined && (asCount(candidate.index) ?? 0) === 0) this.#readCandidate(candidate, out);
    }
    this.#goesOn ||= wasFinished && this.#size > size;
    this.#countedAtStop ||= this.finished && usage !== undefined;
    if (this.#size > MAX_ANSWER_SIZE) {
      this.#failure ??= providerFailure({ code: "invalid_response", said: "The answer is too large." });
    }
  }

  /** The answer as it stands. A prompt that was blocked is an answer without content. */
  response(): LlmResponse {
    const content = this.#blocks.map(blockOf);
    const calls = content.some((block) => block.type === "tool_use");
    return {
      message: { role: "assistant", content },
      stopReason: this.#blocked ? "refusal" : stopReasonFromWire(this.#finishReason, { calls }),
      usage: this.usage,
      model: this.#model,
    };
  }

  #readCandidate(candidate: JsonObject, out: LlmEvent[]): void {
    for (const value of asArray(asObject(candidate.content)?.parts)) {
      const part = asObject(value);
      if (part !== undefined) this.#readPart(part, out);
    }
    const reason = asText(candidate.finishReason);
    if (reason === undefined || reason === "FINISH_REASON_UNSPECIFIED") return;
    this.#finishReason = reason;
    const failure = failureOf(reason);
    if (failure !== undefined) {
      const said = asText(candidate.finishMessage) ?? reason;
      this.#failure ??= providerFailure({ ...failure, said });
    }
  }

  #readPart(part: JsonObject, out: LlmEvent[]): void {
    const signature = asText(field(part, "thoughtSignature"));
    const call = asObject(field(part, "functionCall"));
    if (call !== undefined) this.#readCall(call, signature, out);
    else if (typeof part.text === "string") {
      this.#readText(part.thought === true ? "thinking" : "text", part.text, signature, out);
    } else if (signature !== undefined && Object.keys(part).length === 1) this.#readText("text", "", signature, out);
    else if (Object.keys(part).length > 0) {
      this.#size += JSON.stringify(part).length;
      this.#blocks.push({ type: "opaque", dialect: "gemini", data: part });
    }
  }

  #readText(type: "text" | "thinking", text: string, signature: string | undefined, out: LlmEvent[]): void {
    if (text === "" && signature === undefined) return;
    this.#size += text.length + (signature?.length ?? 0);
    let open = this.#blocks.at(-1);
    if (open?.type !== type || open.signature !== undefined) {
      open = { type, text: "", signature: undefined };
      this.#blocks.push(open);
    }
    open.text += text;
    open.signature = signature;
    if (text !== "") out.push({ type: type === "text" ? "text_delta" : "thinking_delta", text });
    if (type === "thinking" && signature !== undefined) {
      out.push({ type: "thinking_signature", signature, dialect: "gemini" });
    }
  }

  #readCall(call: JsonObject, signature: string | undefined, out: LlmEvent[]): void {
    const input = asObject(call.args) ?? {};
    const name = asText(call.name) ?? NAMELESS;
    const json = JSON.stringify(input);
    const id = this.#uniqueId(
      asText(call.id) ?? `call_${derivedId(`${this.#id} ${name} ${json}`)}_${this.#callIds.size}`,
    );
    this.#size += json.length + (signature?.length ?? 0);
    this.#blocks.push({ type: "tool_use", id, name, input, ...(signature === undefined ? {} : { signature }) });
    out.push({ type: "tool_call_delta", callId: id, name, argumentsFragment: json });
  }

  #uniqueId(wish: string): string {
    let id = wish;
    for (let n = 2; this.#callIds.has(id); n++) id = `${wish}_${n}`;
    this.#callIds.add(id);
    return id;
  }
}

function blockOf(block: GrowingBlock): AssistantContent {
  if (block.type === "tool_use" || block.type === "opaque") return block;
  const { type, text, signature } = block;
  const sealed = signature === undefined ? {} : { signature };
  return type === "text" ? { type, text, ...sealed } : { type: "thinking", text, ...sealed, dialect: "gemini" };
}
