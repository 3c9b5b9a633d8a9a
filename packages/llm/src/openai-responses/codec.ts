import type { LlmCodec } from "../codec.ts";
import { failureFromHttp } from "../openai-chat/failure.ts";
import { encodedWithNames, OPENAI_NAMES } from "../tool-names.ts";
import { encodedWithSearch } from "../web-search.ts";
import { decodeRequest } from "./decode-request.ts";
import { decodeResponse } from "./decode-response.ts";
import { encodeRequest } from "./encode-request.ts";
import { encodeResponse } from "./encode-response.ts";
import { ResponsesStreamDecoder } from "./stream-decoder.ts";
import { ResponsesStreamEncoder } from "./stream-encoder.ts";

/** The OpenAI Responses API: https://platform.openai.com/docs/api-reference/responses */
export const openAiResponses: LlmCodec = {
  encodeRequest: (given, options) =>
    encodedWithSearch("responses", given, (searching) =>
      encodedWithNames(OPENAI_NAMES, searching, (request) => encodeRequest(request, options)),
    ),
  streamDecoder: () => new ResponsesStreamDecoder(),
  decodeResponse,
  failureFromHttp,
  decodeRequest,
  streamEncoder: (identity) => new ResponsesStreamEncoder(identity),
  encodeResponse,
};
