import { composeMail } from "./features/mail/compose-mail.ts";
import { takeMailConfig } from "./features/mail/mail-config.ts";
import { createMailTransport, MailError } from "./features/mail/mail-transport.ts";
import { UsageError } from "./usage-error.ts";

export const MAIL_HELP = `Usage: loom-server mail test ADDRESS

Sends one mail with the server's settings and shows the conversation with the mail server, line by line; > is what Loom
says, < what the mail server answers. Passwords are not shown.

  LOOM_SERVER_SMTP_HOST, LOOM_SERVER_SMTP_PORT            the mail server (port: 465, 587 or 25, by TLS)
  LOOM_SERVER_SMTP_TLS                                    tls, starttls (and nothing else) or none
  LOOM_SERVER_SMTP_USERNAME, LOOM_SERVER_SMTP_PASSWORD    also LOOM_SERVER_SMTP_PASSWORD_FILE
  LOOM_SERVER_MAIL_FROM                                   who mail comes from, e.g. Loom <loom@example.com>
  LOOM_SERVER_MAIL_DIRECTORY                              instead of a mail server: files of a directory
`;

export type MailCommandOutput = {
  readonly print: (text: string) => void;
  readonly say: (sentence: string) => void;
};

/** `loom-server mail …`. Gives the exit code. @throws UsageError, ConfigError */
export async function runMailCommand(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  { print, say }: MailCommandOutput,
): Promise<number> {
  const [verb, to, ...rest] = args;
  if (verb === undefined || args.includes("--help") || args.includes("-h")) {
    print(MAIL_HELP);
    return 0;
  }
  if (verb !== "test") throw new UsageError(`There is no loom-server mail ${verb}: use test.`);
  if (to === undefined || rest.length > 0 || !/^[^\s@<>]+@[^\s@<>]+$/.test(to)) {
    throw new UsageError("Say where to: loom-server mail test you@example.com.");
  }
  const config = takeMailConfig(env, { warn: say });
  if (config === undefined) {
    throw new UsageError(
      "No mail is set up: set LOOM_SERVER_SMTP_HOST, or LOOM_SERVER_MAIL_DIRECTORY for development.",
    );
  }
  const transport = createMailTransport(config, ({ from, text }) => {
    for (const line of text.split(/\r?\n/)) print(`${from === "us" ? ">" : "<"} ${line}\n`);
  });
  const content = { to, subject: "A test from Loom", paragraphs: ["Mail from this Loom server arrives."] };
  try {
    await transport(composeMail(content));
  } catch (error) {
    if (!(error instanceof MailError)) throw error;
    say(error.message);
    return 1;
  }
  say(
    config.transport === "file"
      ? `The mail is in ${config.directory}.`
      : `${config.host} has taken the mail for ${to}.`,
  );
  return 0;
}
