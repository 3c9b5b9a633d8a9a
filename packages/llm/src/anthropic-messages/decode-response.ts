import type { LlmResponse } from "@loom/core";
import type { DecodedResponse } from "../codec.ts";
import { asArray, asObject, asText, parseJsonObject } from "../json-reader.ts";
import { openBlock } from "./answer-block.ts";
import { failureFromForeignBody } from "./failure.ts";
import { stopReasonFromWire } from "./stop-reason.ts";
import { UsageReader } from "./usage.ts";

/** An answer that came in one piece. */
export function decodeResponse(body: string): DecodedResponse {
  const json = parseJsonObject(body);
  if (json === undefined || json.type === "error" || !Array.isArray(json.content)) {
    return { ok: false, failure: failureFromForeignBody(body) };
  }
  const messageId = asText(json.id) ?? "toolu";
  const content = asArray(json.content)
    .map((block, index) => openBlock(asObject(block) ?? {}, `${messageId}_${index}`)?.content())
    .filter((block) => block !== undefined);
  const usage = new UsageReader();
  usage.read(asObject(json.usage));
  const response: LlmResponse = {
    message: { role: "assistant", content },
    stopReason: stopReasonFromWire(json.stop_reason),
    usage: usage.usage,
    model: asText(json.model) ?? "",
  };
  return { ok: true, response };
}
