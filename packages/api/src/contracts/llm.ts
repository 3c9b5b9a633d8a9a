import { defineContract, MAX_BODY_BYTES, MAX_PROMPT_BYTES } from "../contract-definition.ts";
import { parseLlmRequest } from "../llm-request.ts";

export const llm = {
  complete: defineContract({
    method: "POST",
    path: "/proxy/{provider}/complete",
    operation: "completeLlmRequest",
    summary: "Ask a model and wait for the whole answer",
    reply: "json",
    maxBodyBytes: MAX_PROMPT_BYTES,
    schemas: () => import("../schemas/llm.ts").then((schemas) => schemas.complete),
    parseBody: parseLlmRequest,
  }),
  stream: defineContract({
    method: "POST",
    path: "/proxy/{provider}/stream",
    operation: "streamLlmRequest",
    summary: "Ask a model and follow its answer as server-sent events",
    reply: "event-stream",
    maxBodyBytes: MAX_PROMPT_BYTES,
    schemas: () => import("../schemas/llm.ts").then((schemas) => schemas.stream),
    parseBody: parseLlmRequest,
  }),
  models: defineContract({
    method: "GET",
    path: "/api/models",
    operation: "listModels",
    summary: "The models and aliases that this server offers",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/models.ts").then((schemas) => schemas.listModels),
  }),
} as const;
