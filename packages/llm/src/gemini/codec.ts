import type { LlmCodec } from "../codec.ts";
import { decodeRequest } from "./decode-request.ts";
import { decodeResponse } from "./decode-response.ts";
import { encodeRequest } from "./encode-request.ts";
import { encodeResponse } from "./encode-response.ts";
import { failureFromHttp } from "./failure.ts";
import { GeminiStreamDecoder } from "./stream-decoder.ts";
import { GeminiStreamEncoder } from "./stream-encoder.ts";

/** The Gemini API, as Google AI Studio and Vertex AI speak it: https://ai.google.dev/api/generate-content */
export const gemini: LlmCodec = {
  encodeRequest,
  streamDecoder: () => new GeminiStreamDecoder(),
  decodeResponse,
  failureFromHttp,
  decodeRequest,
  streamEncoder: (identity) => new GeminiStreamEncoder(identity),
  encodeResponse,
};
