import type { Transcript, TranscriptItem } from "@loom/threads/transcript";

/** A thread as a Markdown document: what was said as it is, tools and their outputs in fences. */
export function threadMarkdown({ facts, items }: Transcript): string {
  const { id, title, createdAt, workspace, git, models } = facts;
  const about = [
    `- thread: ${id}`,
    `- begun: ${createdAt}`,
    `- workspace: ${inline(workspace)}`,
    ...(git.remote === undefined ? [] : [`- repository: ${inline(git.remote)}`]),
    ...(models.length === 0 ? [] : [`- models: ${models.map(inline).join(", ")}`]),
  ];
  const head = `# ${title.replaceAll(/[\p{Cc}\s]+/gu, " ").trim() || id}\n\n${about.join("\n")}\n`;
  return `${head}${items.map(section).join("")}`;
}

function section(item: TranscriptItem): string {
  switch (item.type) {
    case "user":
      return `\n## Turn ${item.turn}\n\n**Person**, ${item.at}\n\n${item.content.map(block).join("\n\n")}\n`;
    case "assistant":
      return `\n**${inline(item.model)}**\n\n${item.content.map(block).join("\n\n")}\n`;
    case "tool_result":
      return `\n${item.isError ? "Failed:" : "Result:"}\n\n${fenced(item.text)}\n`;
    case "commit":
      return `\nCommit \`${item.sha.slice(0, 10)}\` ${inline(item.message.split("\n", 1)[0] ?? "")}\n`;
    case "damage":
      return `\n*Line ${item.line} of the thread's file is damaged and left out.*\n`;
    case "usage":
      return "";
  }
}

type Block = Extract<TranscriptItem, { content: unknown }>["content"][number];

function block(part: Block): string {
  if (part.type === "text") return part.text;
  if (part.type === "tool_use")
    return `${inline(part.name)}\n\n${fenced(JSON.stringify(part.input, undefined, 2), "json")}`;
  return `*[${part.type}]*`;
}

/** With a fence longer than any in the text (CommonMark 0.31, 4.5). */
function fenced(text: string, language = ""): string {
  const longest = Math.max(2, ...Array.from(text.matchAll(/`+/g), ([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}${language}\n${text}${text.endsWith("\n") ? "" : "\n"}${fence}`;
}

function inline(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\s]+/gu, " ").replaceAll("`", "'");
  return `\`${line}\``;
}
