import type { JsonObject, LlmRequest } from "@loom/core";
import type { DecodedRequest, EncodedRequest } from "../codec.ts";
import { asCount, asObject, parseJsonObject } from "../json-reader.ts";
import { decodeRequest } from "./decode-request.ts";
import { encodeRequest } from "./encode-request.ts";
import { field } from "./wire-field.ts";

/**
 * `POST /v1beta/models/{model}:countTokens`: https://ai.google.dev/api/tokens. Google AI Studio wants the request inside
 * `generateContentRequest`, with its model; Vertex AI wants it as it is.
 */
export const geminiTokenCount = {
  /** The body that asks how many tokens a request has. */
  encodeRequest(request: LlmRequest, { vertex }: { readonly vertex: boolean }): EncodedRequest {
    const encoded = encodeRequest(request, { callIds: !vertex, typedAddresses: vertex });
    if (!encoded.ok || vertex) return encoded;
    return { ok: true, body: { generateContentRequest: { model: `models/${request.model}`, ...encoded.body } } };
  },
  /** Tokens, or `undefined` where the body is no count. */
  decodeResponse(body: string): number | undefined {
    return asCount(parseJsonObject(body)?.totalTokens);
  },
  /** A client's question, in either form, as the request whose tokens are to be counted. */
  decodeRequest(body: string): DecodedRequest {
    const inner = asObject(field(parseJsonObject(body) ?? {}, "generateContentRequest"));
    return decodeRequest(inner === undefined ? body : JSON.stringify(inner));
  },
  encodeResponse(tokens: number): JsonObject {
    return { totalTokens: tokens };
  },
};
