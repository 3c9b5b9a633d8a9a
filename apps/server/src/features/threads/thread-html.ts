import type { ThreadMessage } from "@loom/api";
import { type Html, html } from "../../kit/html.ts";
import { harmless, harmlessLine } from "./harmless.ts";
import type { ToldThread } from "./told-thread.ts";

/** What a page about a thread is called. */
export function titleOf({ info }: ToldThread): string {
  return harmlessLine(info.title) || "Untitled thread";
}

/** A thread for people. Everything in it is text: nothing that was said can become a part of the page. */
export function threadBody({ info, messages }: ToldThread): Html {
  const place = [info.git.remote, info.git.branch].flatMap((text) => (text === undefined ? [] : [harmlessLine(text)]));
  const about = [
    `${info.turns} turns`,
    info.updatedAt.slice(0, 10),
    ...place,
    ...info.models.map((model) => harmlessLine(model)),
  ];
  return html`<p class="dim">${about.join(" · ")}</p>
${messages.map(messageHtml)}`;
}

function messageHtml(message: ThreadMessage): Html {
  switch (message.role) {
    case "user":
      return html`<h2 id="m${message.index}">Turn ${message.turn}</h2>
${message.content.map(blockHtml)}`;
    case "assistant":
      return html`<section id="m${message.index}"><p class="dim">${harmlessLine(message.model)}</p>${message.content.map(blockHtml)}</section>
`;
    case "tool":
      return html`<details id="m${message.index}"><summary class="dim">${message.isError ? "Failed" : "Result"}</summary><pre>${harmless(message.text)}</pre></details>
`;
    default:
      return html`<p id="m${message.index}" class="dim">Commit <code>${message.sha.slice(0, 12)}</code> ${harmlessLine(message.message.split("\n", 1)[0] ?? "")}</p>
`;
  }
}

type Block = Readonly<Record<string, unknown>>;

function blockHtml(value: unknown): Html {
  const block = value as Block;
  switch (block.type) {
    case "text":
      return html`<pre>${harmless(String(block.text))}</pre>`;
    case "thinking":
      return html`<details><summary class="dim">Thinking</summary><pre>${harmless(String(block.text ?? ""))}</pre></details>`;
    case "tool_use":
      return html`<details><summary class="dim">${harmlessLine(String(block.name))}</summary><pre>${harmless(inputText(block.input))}</pre></details>`;
    case "image":
      return imageHtml(block);
    default:
      return html`<p class="dim">[${harmlessLine(String(block.type), 40)}]</p>`;
  }
}

/** What a tool was asked to do. */
export function inputText(input: unknown): string {
  return JSON.stringify(input, null, 2) ?? "";
}

/** Kinds of images that are nothing but pixels: SVG can do more. */
const IMAGE = /^image\/(?:png|jpeg|gif|webp)$/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

function imageHtml({ mediaType, data }: Block): Html {
  if (typeof mediaType !== "string" || typeof data !== "string" || !IMAGE.test(mediaType) || !BASE64.test(data)) {
    return html`<p class="dim">[image]</p>`;
  }
  return html`<p><img alt="" style="max-width:100%" src="data:${mediaType};base64,${data}"></p>`;
}
