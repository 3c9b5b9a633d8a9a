import { brokenCallIn } from "../broken-call.ts";
import type { LlmCodec } from "../codec.ts";
import { encodedWithNames, GEMINI_NAMES } from "../tool-names.ts";
import { encodedWithSearch } from "../web-search.ts";
import { decodeRequest } from "./decode-request.ts";
import { decodeResponse } from "./decode-response.ts";
import { encodeRequest, type GeminiOptions } from "./encode-request.ts";
import { encodeResponse } from "./encode-response.ts";
import { failureFromHttp } from "./failure.ts";
import { GeminiStreamDecoder } from "./stream-decoder.ts";
import { GeminiStreamEncoder } from "./stream-encoder.ts";

/** The Gemini API: https://ai.google.dev/api/generate-content. The options say what a server wants in requests. */
function geminiCodec(options: GeminiOptions): LlmCodec {
  return {
    encodeRequest: (given) =>
      encodedWithSearch("gemini", given, (searching) =>
        encodedWithNames(GEMINI_NAMES, searching, (request) => encodeRequest(request, options)),
      ),
    streamDecoder: () => new GeminiStreamDecoder(),
    decodeResponse,
    failureFromHttp,
    decodeRequest,
    streamEncoder: (identity) => new GeminiStreamEncoder(identity),
    encodeResponse,
    answerProblem: brokenCallIn,
  };
}

/** As Google AI Studio speaks it. */
export const gemini: LlmCodec = geminiCodec({ callIds: true, typedAddresses: false });

/** As Vertex AI speaks it. */
export const geminiOnVertex: LlmCodec = geminiCodec({ callIds: false, typedAddresses: true });
