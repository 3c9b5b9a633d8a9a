import type { Message, TextBlock, UserContent } from "@loom/core";

/** As `leftOut` names it. */
const NAME = "role of later instructions";

/** What a system or developer message says once the conversation has begun: not what the user says. */
export function asInstructions(content: readonly UserContent[]): UserContent[] {
  return content.map((block) => (block.type === "text" ? { ...block, instructs: true } : block));
}

/** The block for a dialect that has no role for it: a part of its own, with marks around it. */
export function markedOff(block: TextBlock): TextBlock {
  if (block.instructs !== true || block.text.trim() === "") return block;
  return { ...block, text: `<system_instruction>\n${block.text}\n</system_instruction>` };
}

/** That such marks are all that is left of the role. */
export function instructionsLeftOut(messages: readonly Message[]): string[] {
  const isLost = messages.some(
    ({ role, content }) =>
      role === "user" &&
      content.some((block) => block.type === "text" && block.instructs === true && block.text.trim() !== ""),
  );
  return isLost ? [NAME] : [];
}
