import type { DecodedResponse } from "../codec.ts";
import { unreadableAnswer } from "../http-failure.ts";
import { asArray, asObject, parseJson } from "../json-reader.ts";
import { GeminiAnswer } from "./answer.ts";

/** One object, or a list of chunks, which is what a stream without `alt=sse` comes to. */
export function decodeResponse(body: string): DecodedResponse {
  const answer = new GeminiAnswer();
  const json = parseJson(body);
  for (const value of Array.isArray(json) ? asArray(json) : [json]) {
    const chunk = asObject(value);
    if (chunk !== undefined && answer.failure === undefined) answer.read(chunk, []);
  }
  if (answer.failure !== undefined) return { ok: false, failure: answer.failure };
  if (answer.started) return { ok: true, response: answer.response() };
  return { ok: false, failure: unreadableAnswer(body) };
}
