import type { IncomingHttpHeaders } from "node:http";
import type { JsonObject } from "@loom/core";
import { anthropic } from "../wire/anthropic.ts";
import type { Dialect } from "../wire/dialect.ts";
import { openAiChat } from "../wire/openai-chat.ts";
import { openAiResponses } from "../wire/openai-responses.ts";

const DIALECTS: Readonly<Record<string, Dialect>> = {
  "/v1/messages": anthropic,
  "/v1/chat/completions": openAiChat,
  "/chat/completions": openAiChat,
  "/v1/responses": openAiResponses,
  "/responses": openAiResponses,
};

/** The dialect spoken at a path, whatever its query. */
export function dialectAt(path: string): Dialect | undefined {
  return DIALECTS[withoutQuery(path)];
}

/** Whether the path lists models. */
export function isModelsPath(path: string): boolean {
  return ["/v1/models", "/models"].includes(withoutQuery(path));
}

/** The dialect a client speaks where the path does not tell: only Anthropic's clients send a version. */
export function dialectOf(headers: IncomingHttpHeaders): Dialect {
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
  return {
    object: "list",
    data: models.map((id) => ({ id, object: "model", created: 1_700_000_000, owned_by: "loom" })),
  };
}

/** The API key of a request: `x-api-key`, or a bearer token. Empty where there is none. */
export function apiKeyOf(headers: IncomingHttpHeaders): string {
  const key = headers["x-api-key"];
  if (typeof key === "string") return key;
  return /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1] ?? "";
}

function withoutQuery(path: string): string {
  const query = path.indexOf("?");
  return query === -1 ? path : path.slice(0, query);
}
