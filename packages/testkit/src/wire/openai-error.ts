import type { JsonObject } from "@loom/core";
import type { ErrorDetails } from "./dialect.ts";

type Kind = { readonly type: string; readonly code: string | null; readonly message: string };

const KINDS: Readonly<Record<number, Kind>> = {
  401: {
    type: "invalid_request_error",
    code: "invalid_api_key",
    message:
      "Incorrect API key provided: {masked}. You can find your API key at https://platform.openai.com/account/api-keys.",
  },
  404: {
    type: "invalid_request_error",
    code: "model_not_found",
    message: "The model does not exist or you do not have access to it.",
  },
  429: { type: "requests", code: "rate_limit_exceeded", message: "Rate limit reached. Please try again later." },
  500: { type: "server_error", code: null, message: "The server had an error while processing your request." },
  503: { type: "server_error", code: null, message: "The engine is currently overloaded, please try again later." },
};

/** The error object of OpenAI's dialects. */
export function openAiError({ status, message, errorType }: ErrorDetails): JsonObject {
  const kind = KINDS[status];
  return {
    error: {
      message: message ?? kind?.message ?? "The request failed.",
      type: errorType ?? kind?.type ?? (status >= 500 ? "server_error" : "invalid_request_error"),
      param: null,
      code: kind?.code ?? null,
    },
  };
}
