import type { ThreadMessage } from "@loom/api";
import { harmless, harmlessLine } from "./harmless.ts";
import { inputText } from "./thread-html.ts";
import type { ToldThread } from "./told-thread.ts";

/** A thread as Markdown: what people and models have said as they wrote it, what tools did in fences. */
export function threadMarkdown({ info, messages }: ToldThread): string {
  const title = harmlessLine(info.title).replaceAll(/[<>&\\`*_#[\]]/g, "\\$&") || "Untitled thread";
  const facts = [
    `- Thread: \`${info.id}\`, version ${info.version}`,
    `- Last used: ${info.updatedAt}`,
    ...(info.git.remote === undefined ? [] : [`- Repository: ${inline(info.git.remote)}`]),
    ...(info.git.branch === undefined ? [] : [`- Branch: ${inline(info.git.branch)}`]),
    ...(info.models.length === 0 ? [] : [`- Models: ${info.models.map(inline).join(", ")}`]),
  ];
  return `# ${title}\n\n${facts.join("\n")}\n\n${messages.map(messageText).join("\n\n")}\n`;
}

function messageText(message: ThreadMessage): string {
  switch (message.role) {
    case "user":
      return `## Turn ${message.turn}\n\n${message.content.map(blockText).join("\n\n")}`;
    case "assistant":
      return `### ${inline(message.model)}\n\n${message.content.map(blockText).join("\n\n")}`;
    case "tool":
      return `${message.isError ? "Failed" : "Result"}:\n\n${fenced(message.text)}`;
    default:
      return `Commit ${inline(message.sha.slice(0, 12))} ${harmlessLine(message.message.split("\n", 1)[0] ?? "")}`;
  }
}

function blockText(value: unknown): string {
  const block = value as Readonly<Record<string, unknown>>;
  switch (block.type) {
    case "text":
      return harmless(String(block.text));
    case "tool_use":
      return `Tool ${inline(String(block.name))}:\n\n${fenced(inputText(block.input))}`;
    case "thinking":
      return `Thinking:\n\n${fenced(String(block.text ?? ""))}`;
    default:
      return `[${harmlessLine(String(block.type), 40)}]`;
  }
}

/** In a fence that is longer than any within. */
function fenced(text: string): string {
  const longest = Math.max(2, ...Array.from(text.matchAll(/`{3,}/g), ([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}\n${harmless(text)}\n${fence}`;
}

function inline(text: string): string {
  return `\`${harmlessLine(text).replaceAll("`", "'")}\``;
}
