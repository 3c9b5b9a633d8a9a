import type { JsonObject } from "@loom/core";
import { type UsageReader, usageReader } from "@loom/llm";
import { isCounted } from "../answered.ts";
import { memberValue, scanJsonObject } from "../json/members.ts";
import { endOfLargeValue } from "../json/skip.ts";
import { asObject, parsed } from "../json/value.ts";
import { endsLikeData, OPEN_BRACE } from "./lines.ts";
import type { TapKind } from "./tap-marks.ts";
import type { TapReading } from "./tap-reading.ts";

/** Token counts and the model's name, from the places where the dialects have them. */
export class Counts {
  readonly #reader: UsageReader;
  #counted = false;
  #model: string | undefined;
  /** An event that ends the answer held the counts. */
  ended = false;
  /** What was read says that it is an error. */
  isError = false;
  /** The last item of a list of several that says that it is one. */
  lastError: unknown;

  constructor(dialect: TapKind) {
    this.#reader = usageReader(dialect === "work" || dialect === "pictures" ? "openai" : dialect);
  }

  get hasCounts(): boolean {
    return this.#counted && isCounted(this.#reader.usage);
  }

  get outputTokens(): number {
    return this.#reader.usage.outputTokens;
  }

  /** Whether a model or token counts were there, which stand in answers only. */
  get hasSigns(): boolean {
    return this.#counted || this.#model !== undefined;
  }

  reading(): Pick<TapReading, "usage" | "counted" | "model"> {
    return { usage: this.#reader.usage, counted: this.#counted, model: this.#model };
  }

  readEvent(value: unknown): void {
    const event = asObject(value);
    if (event === undefined) return;
    const inner = asObject(event.message) ?? asObject(event.response) ?? event;
    const usage = asObject(event.usage) ?? asObject(inner.usage) ?? asObject(event.usageMetadata);
    this.#noteModel(inner.model ?? event.modelVersion);
    if (typeof event.type === "string" && RESPONSE_ENDS.has(event.type)) this.ended = true;
    this.#noteUsage(usage);
  }

  /** Whether it was one. */
  readDocument(bytes: Buffer): boolean {
    const scanned = scanJsonObject(bytes);
    if (scanned.ok) {
      const { top } = scanned;
      this.#noteModel(memberValue(top, "model"));
      this.#noteModel(memberValue(top, "modelVersion"));
      this.#noteUsage(asObject(memberValue(top, "usage")));
      this.#noteUsage(asObject(memberValue(top, "usageMetadata")));
      this.isError = saysError(memberValue(top, "error")) || (!this.#counted && memberValue(top, "object") === "error");
      return true;
    }
    // Gemini streams an array of answers to those who do not ask for events.
    const value = parsed(bytes.toString("utf8").replace(/^\uFEFF/, ""));
    if (typeof value !== "object" || value === null) return false;
    const events: readonly unknown[] = Array.isArray(value) ? value : [value];
    for (const event of events) this.readEvent(event);
    const [first] = events;
    this.isError = events.length === 1 && saysError(asObject(first)?.error);
    const last = events.length > 1 ? asObject(events.at(-1)) : undefined;
    if (saysError(last?.error)) this.lastError = last;
    return true;
  }

  /** Whether a document may end like this. Its counts stand at its end, if anywhere here. */
  readTail(bytes: Buffer, usage: Buffer): boolean {
    const mark = bytes.lastIndexOf(usage);
    const open = mark === -1 ? -1 : bytes.indexOf(OPEN_BRACE, mark);
    const end = open === -1 ? -1 : endOfLargeValue(bytes, open);
    if (end !== -1) this.#noteUsage(asObject(parsed(bytes.toString("utf8", open, end))));
    return endsLikeData(Buffer.from(bytes.toString("latin1").trimEnd(), "latin1"));
  }

  #noteModel(model: unknown): void {
    if (typeof model === "string" && model !== "") this.#model = model.slice(0, MAX_MODEL);
  }

  #noteUsage(usage: { readonly [key: string]: unknown } | undefined): void {
    if (usage === undefined) return;
    this.#counted = true;
    this.#reader.read(usage as JsonObject);
  }
}

/** Some servers say `"error":null`, or `{}`, when all is well. */
function saysError(error: unknown): boolean {
  return (typeof error === "string" && error !== "") || Object.keys(asObject(error) ?? {}).length > 0;
}

const MAX_MODEL = 1_024;

const RESPONSE_ENDS: ReadonlySet<string> = new Set(["response.completed", "response.incomplete", "response.failed"]);
