import type { JsonObject } from "@loom/core";
import type { DecodedResponse } from "../codec.ts";
import { unreadableAnswer } from "../http-failure.ts";
import { parseJsonObject } from "../json-reader.ts";
import { failureFromBody, isErrorBody } from "../openai-chat/failure.ts";
import { ResponsesAnswer } from "./answer.ts";

export function decodeResponse(body: string): DecodedResponse {
  const json = parseJsonObject(body);
  const decoded = json === undefined ? undefined : readResponse(json);
  return decoded ?? { ok: false, failure: unreadableAnswer(body) };
}

/** `undefined` where the object is neither a response that ended nor an error. */
function readResponse(json: JsonObject): DecodedResponse | undefined {
  const isResponse = Array.isArray(json.output) || json.object === "response";
  if (!isResponse) return isErrorBody(json) ? { ok: false, failure: failureFromBody(json) } : undefined;
  const answer = new ResponsesAnswer();
  answer.finish(json, []);
  if (answer.failure !== undefined) return { ok: false, failure: answer.failure };
  return json.status === "queued" || json.status === "in_progress"
    ? undefined
    : { ok: true, response: answer.response() };
}
