import type { CacheMarker, JsonObject, JsonValue, LlmRequest, Message } from "@loom/core";
import type { DecodedRequest } from "../codec.ts";
import type { DroppedField } from "../dropped-fields.ts";
import { asObject } from "../json-reader.ts";
import { asInstructions } from "../later-instructions.ts";
import { refuse, refuseValue } from "../request-problem.ts";
import { mergeNeighbours, readArray, readBoolean, readName, readObject, readRequest } from "../request-reader.ts";
import { readAnswer, readTexts, readToolContent, readUserContent } from "./read-content.ts";
import { readSettings } from "./read-settings.ts";
import { readTools } from "./read-tools.ts";
import { resultsInCallOrder } from "./result-order.ts";

/**
 * The body of a client's `POST /v1/chat/completions`. What Loom has no word for, and the client or the model would miss,
 * is a problem or stays as it is for a server of the same dialect; `carried.ts` lists what is left out.
 */
export function decodeRequest(body: string): DecodedRequest {
  return readRequest(
    body,
    (json, watched) => {
      const { rest, ...instructions } = splitSystem(readArray(json.messages, "messages"));
      const messages = resultsInCallOrder(mergeNeighbours(rest));
      if (messages.length === 0 && instructions.system === "") refuse("messages", "must not be empty");
      const request: LlmRequest = {
        model: readName(json.model, "model"),
        ...instructions,
        messages,
        ...readTools(json),
        ...readSettings(json, watched),
      };
      if (readBoolean(json.stream, "stream") !== true) return { request, stream: false };
      const options = watched(asObject(json.stream_options) ?? {}, "stream_options");
      return { request, stream: true, wantsUsage: options.include_usage === true };
    },
    DROPPED,
  );
}

const DROPPED: readonly DroppedField[] = [
  // The name of a tool stands in its call, too.
  { path: ["messages", "name"], of: ({ role }) => role !== "tool" },
  { path: ["messages", "audio"] },
  { path: ["messages", "cache_control"] },
  { path: ["messages", "content", "image_url", "detail"], neutral: (value) => value === "auto" },
];

type Instructions = Pick<LlmRequest, "system" | "systemCache">;

/** The instructions at the start become the system prompt; later ones keep their place. */
function splitSystem(messages: readonly JsonValue[]): Instructions & { readonly rest: Message[] } {
  const system: string[] = [];
  const rest: Message[] = [];
  let systemCache: CacheMarker | undefined;
  for (const [index, value] of messages.entries()) {
    const path = `messages.${index}`;
    const message = readObject(value, path);
    const isSystem = message.role === "system" || message.role === "developer";
    if (isSystem && rest.length === 0) {
      for (const { text, cache } of readTexts(message.content, `${path}.content`)) {
        system.push(text);
        systemCache = cache ?? systemCache;
      }
    } else rest.push(readMessage(message, path));
  }
  return { system: system.join("\n\n"), ...(systemCache === undefined ? {} : { systemCache }), rest };
}

function readMessage(message: JsonObject, path: string): Message {
  switch (message.role) {
    case "user":
      return { role: "user", content: readUserContent(message.content, `${path}.content`) };
    case "system":
    case "developer":
      return { role: "user", content: asInstructions(readUserContent(message.content, `${path}.content`)) };
    case "assistant":
      return { role: "assistant", content: readAnswer(message, path) };
    case "tool": {
      const toolCallId = readName(message.tool_call_id, `${path}.tool_call_id`);
      const content = readToolContent(message.content ?? "", `${path}.content`);
      return { role: "user", content: [{ type: "tool_result", toolCallId, content, isError: false }] };
    }
    default:
      return refuseValue(`${path}.role`, message.role);
  }
}
