export { anthropicMessages } from "./anthropic-messages/codec.ts";
export type { CarriedFeature, Fate } from "./carried.ts";
export { CARRIED, carriedBetween } from "./carried.ts";
export type { Catalogue, CatalogueModel } from "./catalogue/catalogue.ts";
export { loadCatalogue } from "./catalogue/catalogue.ts";
export { costOf } from "./catalogue/price.ts";
export type {
  AnswerIdentity,
  DecodedRequest,
  DecodedResponse,
  EncodedRequest,
  HttpFailure,
  LlmCodec,
  LlmStreamDecoder,
  LlmStreamEncoder,
  ProviderStreamDecoder,
} from "./codec.ts";
export { THINKING_LEFT_OUT } from "./earlier-thinking.ts";
export type { ForeignSeal } from "./foreign-seal.ts";
export { FOREIGN_SEAL, unwrapSeal, wrapSeal } from "./foreign-seal.ts";
export { gemini, geminiOnVertex } from "./gemini/codec.ts";
export { geminiTokenCount } from "./gemini/count-tokens.ts";
export { sealInPlace } from "./gemini/encode-contents.ts";
export { geminiError } from "./gemini/failure.ts";
export { redactFailure } from "./http-failure.ts";
export { loomEvents } from "./loom-events.ts";
export { mostOutputTokens } from "./most-output.ts";
export type { PictureTraits } from "./most-picture.ts";
export { mostPictureTokens, usualPictureTokens } from "./most-picture.ts";
export { openAiChat, openAiChatCodec } from "./openai-chat/codec.ts";
export { openAiDialects, openAiDialectsFor } from "./openai-dialects.ts";
export { openAiResponses } from "./openai-responses/codec.ts";
export { responsesTokenCount } from "./openai-responses/count-tokens.ts";
export { problemInWordsOf } from "./own-words.ts";
export { ScopedMemory } from "./scoped-memory.ts";
export { SealMemory } from "./seal-memory.ts";
export { namingBack } from "./tool-names.ts";
export type { UsageReader } from "./usage-reader.ts";
export { usageReader } from "./usage-reader.ts";
export type { VertexMethod, VertexModel } from "./vertex.ts";
export { vertexClaudeBody, vertexOrigin, vertexPath } from "./vertex.ts";
