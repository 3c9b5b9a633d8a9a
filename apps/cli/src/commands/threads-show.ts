import type { Transcript, TranscriptItem } from "@loom/threads/transcript";
import type { Invocation } from "../command-line/specification.ts";
import { exitCodeOf } from "../exit-codes.ts";
import { terminalLine, terminalText } from "../output/terminal-text.ts";
import { readThread } from "../read-thread.ts";

const FIRST_LINES = 5;
const MAX_LINE = 200;

export async function show(invocation: Invocation): Promise<number> {
  const { facts, items } = await readThread(invocation);
  if (invocation.flags.has("--json")) {
    process.stdout.write(`${JSON.stringify({ ...facts, items }, undefined, 2)}\n`);
    return exitCodeOf("ok");
  }
  process.stdout.write(factLines(facts));
  const full = invocation.flags.has("--full");
  let spent = 0;
  for (const item of items) {
    process.stdout.write(itemText(item, { full, spent }));
    if (item.type === "usage") spent = item.totals.costMicroUsd;
  }
  return exitCodeOf("ok");
}

function factLines(facts: Transcript["facts"]): string {
  const { id, title, workspace, createdAt, updatedAt, tags, pinned, visibility, git, models, totals, forkedFrom } =
    facts;
  const { usage } = totals;
  const input = usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens;
  const place = [git.remote, git.branch].filter((part) => part !== undefined).join(" ");
  const commits = [git.firstCommit, git.commit].filter((sha) => sha !== undefined).map((sha) => sha.slice(0, 10));
  const who = facts.private ? "only this machine" : visibility;
  const rows: readonly (readonly [string, string])[] = [
    ["thread", id],
    ["title", title],
    ["workspace", workspace],
    ["repository", place],
    ["commit", [...new Set(commits)].join(" to ") + (git.dirty === true ? " with changes" : "")],
    ["made", `${createdAt}, last used ${updatedAt}`],
    ["copy of", forkedFrom === undefined ? "" : `${forkedFrom.id} up to its record ${forkedFrom.version}`],
    ["models", models.join(", ")],
    ["used", `${input} tokens in, ${usage.outputTokens} out, ${dollars(totals.costMicroUsd)}`],
    [
      "for",
      `${who}${pinned ? ", pinned" : ""}${facts.deletedAt === undefined ? "" : `, in the trash since ${facts.deletedAt}`}`,
    ],
    ["tags", tags.join(", ")],
  ];
  return rows
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `${name.padEnd(12)}${terminalLine(value, 1_000)}\n`)
    .join("");
}

type Shown = { readonly full: boolean; readonly spent: number };

function itemText(item: TranscriptItem, { full, spent }: Shown): string {
  switch (item.type) {
    case "user":
      return `\n── turn ${item.turn} ── ${item.at}\n> ${blocks(item.content).replaceAll("\n", "\n> ")}\n`;
    case "assistant":
      return item.content.map((block) => `${blockText(block)}\n`).join("");
    case "tool_result":
      return `${item.isError ? "  ✗ " : "  "}${output(item.text, full)}\n`;
    case "commit":
      return `  commit ${item.sha.slice(0, 10)} ${terminalLine(item.message, MAX_LINE)}\n`;
    case "usage":
      return `  ${dollars(item.totals.costMicroUsd - spent)}\n`;
    case "damage":
      return `  [line ${item.line} of the thread's file is damaged and left out]\n`;
  }
}

type Block = Extract<TranscriptItem, { content: unknown }>["content"][number];

function blocks(content: readonly Block[]): string {
  return content.map(blockText).join("\n");
}

function blockText(block: Block): string {
  if (block.type === "text") return terminalText(block.text);
  if (block.type === "tool_use") return `• ${block.name} ${terminalLine(JSON.stringify(block.input), MAX_LINE)}`;
  return `[${block.type}]`;
}

function output(text: string, full: boolean): string {
  const lines = terminalText(text).split("\n");
  const shown = full ? lines : lines.slice(0, FIRST_LINES).map((line) => terminalLine(line, MAX_LINE));
  const more = lines.length - shown.length;
  return [...shown, ...(more > 0 ? [`[${more} more lines; --full shows them]`] : [])].join("\n  ");
}

function dollars(microUsd: number): string {
  return `$${(microUsd / 1_000_000).toFixed(4)}`;
}
