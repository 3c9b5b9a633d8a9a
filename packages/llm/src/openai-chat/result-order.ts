import type { Message, UserContent } from "@loom/core";
import { refuse } from "../request-problem.ts";

/**
 * Puts the results of tools in the order of the calls they answer, and before what the user says: clients may send
 * them in any order, and there are providers that match them by their place. Refuses a result that answers no call of the message before it.
 */
export function resultsInCallOrder(messages: readonly Message[]): Message[] {
  return messages.map((message, index) => {
    if (message.role !== "user") return message;
    const order = callIdsOf(messages[index - 1]);
    return { role: "user", content: sorted(message.content, order) };
  });
}

function callIdsOf(message: Message | undefined): string[] {
  if (message?.role !== "assistant") return [];
  return message.content.filter((block) => block.type === "tool_use").map(({ id }) => id);
}

function sorted(content: readonly UserContent[], order: readonly string[]): UserContent[] {
  const results = content.filter((block) => block.type === "tool_result");
  for (const { toolCallId } of results) {
    if (!order.includes(toolCallId)) {
      refuse("messages", `hold a tool result for ${JSON.stringify(toolCallId)}, which answers no call just before it`);
    }
  }
  const inOrder = results.toSorted((a, b) => order.indexOf(a.toolCallId) - order.indexOf(b.toolCallId));
  return [...inOrder, ...content.filter((block) => block.type !== "tool_result")];
}
