import type { Notice } from "@loom/api";
import type { Mail } from "../mail/index.ts";
import type { MailLane } from "../mail/mail-queue.ts";
import type { Notices } from "./notices.ts";

export type News = {
  readonly kind: Notice["kind"];
  /** One line. */
  readonly subject: string;
  /** A whole sentence: the notice, and how the mail begins. */
  readonly text: string;
  /** What else the mail says. */
  readonly paragraphs?: readonly string[];
  readonly footnote?: string;
  /** With which other mails this one shares its room; default: with those about what lets somebody in. */
  readonly lane?: MailLane;
};

export type Telling = {
  /** Resolves when there is a notice for the person; mail goes out in the background, where it is set up. */
  tell(person: { readonly id: string; readonly email: string }, news: News): Promise<void>;
};

/** The one way in which a person is told what others have done to his account, or somebody who might be another. */
export function createTelling(notices: Notices, mail: Pick<Mail, "send">): Telling {
  return {
    async tell({ id, email }, { kind, subject, text, paragraphs = [], footnote, lane = "security" }) {
      await notices.add(id, { kind, text });
      // A tombstone has no address.
      if (email === "") return;
      const content = { to: email, subject, paragraphs: [text, ...paragraphs] };
      mail.send(footnote === undefined ? content : { ...content, footnote }, lane);
    },
  };
}
