import type { DecodedResponse } from "../codec.ts";
import { unreadableAnswer } from "../http-failure.ts";
import { parseJsonObject } from "../json-reader.ts";
import { ChatAnswer } from "./answer.ts";

export function decodeResponse(body: string): DecodedResponse {
  const answer = new ChatAnswer();
  const json = parseJsonObject(body);
  if (json !== undefined) answer.read(json, []);
  if (answer.failure !== undefined) return { ok: false, failure: answer.failure };
  if (answer.started) return { ok: true, response: answer.end([]) };
  return { ok: false, failure: unreadableAnswer(body) };
}
