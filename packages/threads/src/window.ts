import type { ContentBlock, Message, UserContent } from "@loom/core";

/** Of a longer conversation only the end is gone on with: more than this no model takes in. In UTF-16 units. */
export const WINDOW_UNITS = 4 * 1024 * 1024;

const LEFT_OUT: UserContent = {
  type: "text",
  text: "[The earlier part of this conversation is left out here, because it is long.]",
};

/**
 * A conversation whose beginning was left out, valid again: it begins with the person, says that something is left out,
 * and answers no call that was left out.
 */
export function asWindow(messages: readonly Message[]): readonly Message[] {
  const [first, ...others] = messages;
  if (first?.role !== "user") return messages;
  const content = first.content.filter(({ type }) => type !== "tool_result");
  return [{ role: "user", content: [LEFT_OUT, ...content] }, ...others];
}

/**
 * How many messages to skip so that the rest takes up no more than `maxUnits`; 0 where all of them fit. The rest begins
 * with a message of the person's side, and at the latest with the last of them.
 */
export function messagesToSkip(messages: readonly Message[], maxUnits = WINDOW_UNITS): number {
  let skip = messages.length;
  let units = 0;
  for (let index = messages.length - 1; index >= 0; index--) {
    const message = messages[index];
    if (message === undefined) break;
    units += unitsOf(message);
    if (units > maxUnits && skip < messages.length) return skip;
    if (message.role === "user") skip = index;
  }
  return 0;
}

function unitsOf({ content }: Message): number {
  return content.reduce((sum, block) => sum + blockUnits(block), 0);
}

function blockUnits(block: ContentBlock): number {
  switch (block.type) {
    case "text":
    case "thinking":
      return block.text.length;
    case "image":
      return block.data.length;
    case "tool_result":
      return block.content.reduce((sum, part) => sum + blockUnits(part), 0);
    default:
      return JSON.stringify(block).length;
  }
}
