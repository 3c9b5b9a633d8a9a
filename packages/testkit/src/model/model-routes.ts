import type { IncomingHttpHeaders } from "node:http";
import type { JsonObject } from "@loom/core";
import { anthropic, anthropicOnVertex } from "../wire/anthropic.ts";
import type { Dialect } from "../wire/dialect.ts";
import { gemini } from "../wire/gemini.ts";
import { openAiChat } from "../wire/openai-chat.ts";
import { openAiResponses } from "../wire/openai-responses.ts";

const DIALECTS: Readonly<Record<string, Dialect>> = {
  "/v1/messages": anthropic,
  "/v1/chat/completions": openAiChat,
  "/chat/completions": openAiChat,
  "/v1/responses": openAiResponses,
  "/responses": openAiResponses,
};

/** `/v1beta/models/{model}:{method}`, and the same for Vertex AI's longer paths. */
const GEMINI = /\/models\/([^:]+):(generateContent|streamGenerateContent|countTokens)$/;

/** Claude on Vertex AI: the path says what the body says elsewhere. */
const VERTEX_CLAUDE = /\/publishers\/anthropic\/models\/([^:]+):(rawPredict|streamRawPredict)$/;

/** What is asked for at a path, whatever its query. */
export type ModelRoute = {
  readonly dialect: Dialect;
  /** How many tokens a conversation has, and no answer to it. */
  readonly countsTokens: boolean;
  /** What the path says and the body does not. */
  readonly fields: JsonObject;
};

/** The route at a path; Z.ai has its own prefixes. */
export function routeAt(path: string): ModelRoute | undefined {
  const plain = withoutQuery(path).replace(/^\/api\/(?:anthropic|(?:coding\/)?paas\/v4)/, "");
  const [, model, method] = GEMINI.exec(plain) ?? [];
  if (model !== undefined) {
    const fields = { model: decodeURIComponent(model), stream: method === "streamGenerateContent" };
    return { dialect: gemini, countsTokens: method === "countTokens", fields };
  }
  const [, claude, predict] = VERTEX_CLAUDE.exec(plain) ?? [];
  if (claude === "count-tokens") return { dialect: anthropicOnVertex, countsTokens: true, fields: {} };
  if (claude !== undefined) {
    const fields = { model: decodeURIComponent(claude), stream: predict === "streamRawPredict" };
    return { dialect: anthropicOnVertex, countsTokens: false, fields };
  }
  if (plain === "/v1/messages/count_tokens") return { dialect: anthropic, countsTokens: true, fields: {} };
  const dialect = DIALECTS[plain];
  return dialect && { dialect, countsTokens: false, fields: {} };
}

/** Whether the path lists models. */
export function isModelsPath(path: string): boolean {
  return ["/v1/models", "/models", "/v1beta/models"].includes(withoutQuery(path));
}

/** The dialect a client speaks where the path does not tell: only Anthropic's clients send a version. */
export function dialectOf(headers: IncomingHttpHeaders): Dialect {
  if (headers["x-goog-api-key"] !== undefined) return gemini;
  return headers["anthropic-version"] === undefined ? openAiChat : anthropic;
}

/** The list of models in a dialect's shape. */
export function modelsList(dialect: Dialect, models: readonly string[]): JsonObject {
  if (dialect === anthropic) {
    return {
      data: models.map((id) => ({ type: "model", id, display_name: id, created_at: "2025-01-01T00:00:00Z" })),
      has_more: false,
      first_id: models[0] ?? null,
      last_id: models.at(-1) ?? null,
    };
  }
  if (dialect === gemini) return { models: models.map((id) => ({ name: `models/${id}`, displayName: id })) };
  return {
    object: "list",
    data: models.map((id) => ({ id, object: "model", created: 1_700_000_000, owned_by: "loom" })),
  };
}

/** The API key of a request: `x-api-key`, `x-goog-api-key`, or a bearer token. Empty where there is none. */
export function apiKeyOf(headers: IncomingHttpHeaders): string {
  const key = headers["x-api-key"] ?? headers["x-goog-api-key"];
  if (typeof key === "string") return key;
  return /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1] ?? "";
}

function withoutQuery(path: string): string {
  const query = path.indexOf("?");
  return query === -1 ? path : path.slice(0, query);
}
