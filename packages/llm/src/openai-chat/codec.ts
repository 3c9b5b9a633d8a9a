import type { LlmCodec } from "../codec.ts";
import { encodedWithNames, OPENAI_NAMES } from "../tool-names.ts";
import { decodeRequest } from "./decode-request.ts";
import { decodeResponse } from "./decode-response.ts";
import { encodeRequest } from "./encode-request.ts";
import { encodeResponse } from "./encode-response.ts";
import { failureFromHttp } from "./failure.ts";
import type { OpenAiChatOptions } from "./options.ts";
import { OpenAiStreamDecoder } from "./stream-decoder.ts";
import { OpenAiStreamEncoder } from "./stream-encoder.ts";

/**
 * The OpenAI Chat Completions API: https://platform.openai.com/docs/api-reference/chat, and the many servers that speak
 * it. The options say what a server wants in requests; answers are read the same from all of them.
 */
export function openAiChatCodec(options: Partial<OpenAiChatOptions> = {}): LlmCodec {
  const { maxTokensField = "max_completion_tokens" } = options;
  const settings: OpenAiChatOptions = {
    maxTokensField,
    thinkingParameter: "reasoning_effort",
    // The older field is what the imitations want.
    cacheKey: maxTokensField === "max_completion_tokens",
    ...options,
  };
  return {
    encodeRequest: (given, { stream }) =>
      encodedWithNames(OPENAI_NAMES, given, (request) => encodeRequest(request, { stream, ...settings })),
    streamDecoder: () => new OpenAiStreamDecoder(),
    decodeResponse,
    failureFromHttp,
    decodeRequest,
    streamEncoder: (identity) => new OpenAiStreamEncoder(identity),
    encodeResponse,
  };
}

/** For OpenAI itself. */
export const openAiChat: LlmCodec = openAiChatCodec({ mostStops: 4 });
