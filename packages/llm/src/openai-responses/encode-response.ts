import type { AssistantContent, JsonObject, LlmResponse } from "@loom/core";
import type { AnswerIdentity } from "../codec.ts";
import { saidOfPart } from "../foreign-part.ts";
import {
  answerId,
  callItem,
  callSealOf,
  itemId,
  messageItem,
  responseToWire,
  sealOf,
  statusOf,
  tellIssued,
  textPart,
  thoughtItem,
} from "./response-to-wire.ts";

/** An answer in one piece. Of what only another dialect knows the client is told in a text. */
export function encodeResponse(response: LlmResponse, identity: AnswerIdentity = {}): JsonObject {
  const id = answerId(identity, response);
  const { status, incomplete } = statusOf(response.stopReason);
  const output = itemsOf(response.message.content, id, identity);
  for (const item of output) tellIssued(item, identity);
  return responseToWire(id, identity, {
    status,
    output,
    answered: response,
    ...(incomplete === undefined ? {} : { incomplete }),
  });
}

function itemsOf(content: readonly AssistantContent[], answer: string, identity: AnswerIdentity): JsonObject[] {
  const items: JsonObject[] = [];
  let texts: JsonObject[] | undefined;
  const idFor = (type: string) => itemId(type, answer, items.length);
  for (const block of content) {
    const text = block.type === "text" ? block.text : foreignText(block);
    if (text === "" && block.type === "opaque") continue;
    if (text !== undefined) {
      if (texts === undefined) {
        texts = [];
        items.push(messageItem(idFor("message"), "completed", texts));
      }
      texts.push(textPart(text));
      continue;
    }
    texts = undefined;
    if (block.type === "thinking")
      items.push(thoughtItem(idFor("reasoning"), block.text, sealOf(block, identity.origin)));
    else if (block.type === "opaque") items.push(block.data);
    else if (block.type === "tool_use") {
      const item = callItem("", "completed", block, identity);
      items.push({ ...item, id: idFor(String(item.type)) });
      const seal = callSealOf(block);
      if (seal !== undefined) items.push(thoughtItem(idFor("reasoning"), "", seal));
    }
  }
  return items;
}

/** What is said of a part that this dialect does not know; `undefined` for any other block. */
function foreignText(block: AssistantContent): string | undefined {
  return block.type === "opaque" && block.dialect !== "responses" ? saidOfPart(block) : undefined;
}
