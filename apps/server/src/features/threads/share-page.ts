import { html, page } from "../../kit/html.ts";
import type { SharedThread } from "./sharing.ts";

type Void = Exclude<SharedThread["state"], "open">;

const SENTENCES: Readonly<Record<Void, { readonly title: string; readonly text: string }>> = {
  revoked: {
    title: "This link was taken back",
    text: "Whoever shared this thread has ended that. Ask for another link.",
  },
  expired: { title: "This link has expired", text: "It was made for a limited time. Ask for another link." },
  unknown: { title: "There is nothing here", text: "No thread is shared by this link. Look whether it is complete." },
};

/** What a link that leads nowhere says. */
export function voidPage(state: Void): string {
  const { title, text } = SENTENCES[state];
  return page({ title, body: html`<p>${text}</p>` });
}

/** The same in a sentence. */
export function voidSentence(state: Void): string {
  const { title, text } = SENTENCES[state];
  return `${title}. ${text}`;
}
