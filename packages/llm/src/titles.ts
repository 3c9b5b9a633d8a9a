import type { DocumentBlock, Message } from "@loom/core";

/** As `leftOut` names them. */
const NAME = "titles of documents";

/** That documents have titles for which a dialect has no place beside a source like theirs. */
export function titlesLeftOut(
  messages: readonly Message[],
  takes: (source: DocumentBlock["source"]) => boolean,
): string[] {
  const isLost = messages.some(({ content }) =>
    content.some((block) =>
      (block.type === "tool_result" ? block.content : [block]).some(
        (part) => part.type === "document" && part.title !== undefined && !takes(part.source),
      ),
    ),
  );
  return isLost ? [NAME] : [];
}
