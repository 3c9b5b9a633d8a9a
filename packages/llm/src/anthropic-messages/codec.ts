import { brokenCallIn } from "../broken-call.ts";
import type { LlmCodec } from "../codec.ts";
import { CLAUDE_NAMES, encodedWithNames } from "../tool-names.ts";
import { encodedWithSearch } from "../web-search.ts";
import { decodeRequest } from "./decode-request.ts";
import { decodeResponse } from "./decode-response.ts";
import { encodeRequest } from "./encode-request.ts";
import { encodeResponse } from "./encode-response.ts";
import { failureFromHttp } from "./failure.ts";
import { AnthropicStreamDecoder } from "./stream-decoder.ts";
import { AnthropicStreamEncoder } from "./stream-encoder.ts";

/** The Anthropic Messages API: https://platform.claude.com/docs/en/api/messages */
export const anthropicMessages: LlmCodec = {
  encodeRequest: (given, options) =>
    encodedWithSearch("anthropic", given, (searching) =>
      encodedWithNames(CLAUDE_NAMES, searching, (request) => encodeRequest(request, options)),
    ),
  streamDecoder: () => new AnthropicStreamDecoder(),
  decodeResponse,
  failureFromHttp,
  decodeRequest,
  streamEncoder: (identity) => new AnthropicStreamEncoder(identity),
  encodeResponse,
  answerProblem: brokenCallIn,
};
