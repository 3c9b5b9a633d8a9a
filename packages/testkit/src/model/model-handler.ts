import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { JsonObject } from "@loom/core";
import { asObject, parseJson } from "../json-fields.ts";
import { type Dialect, RefusedRequest } from "../wire/dialect.ts";
import { gemini } from "../wire/gemini.ts";
import { ConnectionWatch } from "./connection-watch.ts";
import { apiKeyOf, dialectOf, isModelsPath, modelsList, routeAt } from "./model-routes.ts";
import type { NormalizedRequest } from "./normalized-request.ts";
import { readBody } from "./read-body.ts";
import type { Script } from "./reply.ts";
import type { RequestLog } from "./request-log.ts";
import { ScriptRunner } from "./script-runner.ts";
import { type Answer, sendError, sendJson, sendReply } from "./send-reply.ts";

type HandlerOptions = {
  readonly script: Script;
  readonly expectedKey?: string;
  readonly models?: readonly string[];
  readonly answerCommitMessages?: boolean;
};

const ANY_MODEL = ["scripted-model"];

/** What the scripted model does with one HTTP request: check, record, ask the script, answer. */
export function createModelHandler(options: HandlerOptions, log: RequestLog): RequestListener {
  const runner = new ScriptRunner(options);
  let number = 0;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const at = Date.now();
    const watch = new ConnectionWatch(response);
    const { method = "", url: path = "", headers } = request;
    const { text, bytes } = await readBody(request);
    const body = parseJson(text);
    const route = routeAt(path);
    const dialect = route?.dialect ?? dialectOf(headers);
    const answer: Answer = { response, watch, dialect, key: apiKeyOf(headers), number: ++number, bodyBytes: bytes };
    let conversation: NormalizedRequest | undefined;
    let refusal: RefusedRequest | undefined;
    try {
      checkKey(answer.key, options.expectedKey);
      if (method === "POST" && route !== undefined) {
        const json = asObject(body);
        const whole = json && { ...json, ...route.fields };
        if (!route.countsTokens) conversation = understand(dialect, headers, whole, options.models);
      } else if (method !== "GET" || !isModelsPath(path)) {
        throw new RefusedRequest(`Not found: ${method} ${path}`, { status: 404 });
      }
    } catch (error) {
      refusal = asRefusal(error);
    }
    log.record({
      method,
      path,
      headers,
      body,
      bodyBytes: bytes,
      at,
      conversation,
      get aborted() {
        return watch.aborted;
      },
      whenAborted: watch.whenAborted,
    });
    if (refusal !== undefined) return sendError(answer, refusal);
    if (route?.countsTokens === true) return sendJson(answer, 200, tokenCount(dialect, bytes));
    if (conversation === undefined) return sendJson(answer, 200, modelsList(dialect, options.models ?? ANY_MODEL));
    try {
      await sendReply(answer, await runner.reply(conversation), conversation, asObject(body) ?? {});
    } catch (error) {
      sendError(answer, asRefusal(error));
    }
  }

  return (request, response) => {
    // A socket error reaches the exchange as a close; unheard, it would end the process.
    response.on("error", () => undefined);
    void handle(request, response);
  };
}

/** About four bytes a token, as a script without usage is counted too. */
function tokenCount(dialect: Dialect, bytes: number): JsonObject {
  const tokens = Math.ceil(bytes / 4);
  return dialect === gemini ? { totalTokens: tokens } : { input_tokens: tokens };
}

function checkKey(key: string, expectedKey: string | undefined): void {
  if (key === "" || (expectedKey !== undefined && key !== expectedKey)) throw new RefusedRequest("", { status: 401 });
}

function understand(
  dialect: Dialect,
  headers: IncomingMessage["headers"],
  body: JsonObject | undefined,
  models: readonly string[] | undefined,
): NormalizedRequest {
  if (body === undefined) throw new RefusedRequest("The request body is not valid JSON.");
  dialect.checkHeaders(headers);
  const conversation = dialect.readRequest(body);
  if (models !== undefined && !models.includes(conversation.model)) {
    throw new RefusedRequest(dialect.unknownModelMessage(conversation.model), { status: 404 });
  }
  return conversation;
}

function asRefusal(error: unknown): RefusedRequest {
  if (error instanceof RefusedRequest) return error;
  return new RefusedRequest(`The scripted model failed: ${error instanceof Error ? error.message : String(error)}`);
}
