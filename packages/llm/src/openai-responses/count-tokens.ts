import type { JsonObject, LlmRequest } from "@loom/core";
import type { EncodedRequest } from "../codec.ts";
import { asCount, parseJsonObject } from "../json-reader.ts";
import { encodeRequest } from "./encode-request.ts";

/** What has a say in the size of the prompt; the rest is refused there. */
const COUNTED = ["model", "instructions", "input", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "text"];

/** `POST /v1/responses/input_tokens`: https://platform.openai.com/docs/api-reference/responses/input-tokens */
export const responsesTokenCount = {
  /** The body that asks how many tokens a request has. */
  encodeRequest(request: LlmRequest): EncodedRequest {
    const encoded = encodeRequest(request, { stream: false });
    if (!encoded.ok) return encoded;
    const body = Object.fromEntries(Object.entries(encoded.body).filter(([field]) => COUNTED.includes(field)));
    return { ok: true, body };
  },
  /** Tokens, or `undefined` where the body is no count. */
  decodeResponse(body: string): number | undefined {
    return asCount(parseJsonObject(body)?.input_tokens);
  },
  encodeResponse(tokens: number): JsonObject {
    return { object: "response.input_tokens", input_tokens: tokens };
  },
};
