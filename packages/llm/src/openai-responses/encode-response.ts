import type { AssistantContent, JsonObject, LlmResponse } from "@loom/core";
import type { AnswerIdentity } from "../codec.ts";
import {
  answerId,
  callItem,
  callSealOf,
  itemId,
  messageItem,
  responseToWire,
  sealOf,
  statusOf,
  textPart,
  thoughtItem,
} from "./response-to-wire.ts";

/** An answer in one piece. Blocks that only another dialect knows cannot be in it, since none of its tools were asked for. */
export function encodeResponse(response: LlmResponse, identity: AnswerIdentity = {}): JsonObject {
  const id = answerId(identity, response);
  const { status, incomplete } = statusOf(response.stopReason);
  return responseToWire(id, identity, {
    status,
    output: itemsOf(response.message.content, id),
    answered: response,
    ...(incomplete === undefined ? {} : { incomplete }),
  });
}

function itemsOf(content: readonly AssistantContent[], answer: string): JsonObject[] {
  const items: JsonObject[] = [];
  let texts: JsonObject[] | undefined;
  const idFor = (type: string) => itemId(type, answer, items.length);
  for (const block of content) {
    if (block.type === "text") {
      if (texts === undefined) {
        texts = [];
        items.push(messageItem(idFor("message"), "completed", texts));
      }
      texts.push(textPart(block.text));
      continue;
    }
    texts = undefined;
    if (block.type === "thinking") items.push(thoughtItem(idFor("reasoning"), block.text, sealOf(block)));
    else if (block.type === "opaque") {
      if (block.dialect === "responses") items.push(block.data);
    } else {
      const item = callItem("", "completed", block);
      items.push({ ...item, id: idFor(String(item.type)) });
      const seal = callSealOf(block);
      if (seal !== undefined) items.push(thoughtItem(idFor("reasoning"), "", seal));
    }
  }
  return items;
}
