import { html } from "../../kit/html.ts";
import type { OutgoingMail } from "./mail-transport.ts";

export type MailContent = {
  readonly to: string;
  /** One line. */
  readonly subject: string;
  readonly paragraphs: readonly string[];
  /** What the mail is for doing. */
  readonly button?: { readonly label: string; readonly url: string };
  /** After the button, e.g. how long it works. */
  readonly footnote?: string;
};

/** The same as text and as HTML; nothing is loaded from anywhere, so that opening it tells nobody. */
export function composeMail({ to, paragraphs, button, footnote, ...content }: MailContent): OutgoingMail {
  const subject = content.subject.replaceAll(/[\p{Cc}\p{Cf}]+/gu, " ");
  const text = [
    ...paragraphs,
    ...(button === undefined ? [] : [button.url]),
    ...(footnote === undefined ? [] : [footnote]),
  ];
  const style = "font:16px/1.5 sans-serif;color:#1b1f24;max-width:34rem;margin:0 auto;padding:24px";
  const buttonStyle =
    "display:inline-block;padding:12px 20px;background:#2f5bd8;color:#ffffff;border-radius:8px;text-decoration:none;font-weight:bold";
  const markup = html`<!doctype html><html><head><meta charset="utf-8"><title>${subject}</title></head><body><div style="${style}">${paragraphs.map(
    (each) => html`<p>${each}</p>`,
  )}${button && html`<p><a style="${buttonStyle}" href="${button.url}">${button.label}</a></p><p>${button.url}</p>`}${
    footnote !== undefined && html`<p style="color:#5b6673">${footnote}</p>`
  }</div></body></html>`;
  return {
    to,
    subject,
    text: `${text.join("\n\n")}\n`,
    html: markup.text,
  };
}
