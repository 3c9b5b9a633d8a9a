import { defineFeature } from "../../kit/feature.ts";
import { composeMail, type MailContent } from "./compose-mail.ts";
import type { MailConfig } from "./mail-config.ts";
import { type MailLane, MailQueue } from "./mail-queue.ts";
import { createMailTransport } from "./mail-transport.ts";

export type Mail = {
  /** Whether mail can be sent at all; where not, `send` does nothing. */
  readonly isSetUp: boolean;
  /** In the background; never throws. `lane`: default "other". */
  send(content: MailContent, lane?: MailLane): void;
  /** Resolves when nothing waits any more. */
  settled(): Promise<void>;
};

/** Mail to people: by SMTP, or into a directory for development. */
export const mail = defineFeature<Mail, { readonly config: MailConfig | undefined }>({
  name: "mail",
  services: ({ log, metrics }, { config }) => {
    if (config === undefined) return { isSetUp: false, send: () => {}, settled: async () => {} };
    const queue = new MailQueue({ transport: createMailTransport(config), log, metrics });
    return {
      isSetUp: true,
      send: (content, lane) => queue.send(composeMail(content), lane),
      settled: () => queue.settled(),
    };
  },
});
