import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import PostalMime from "postal-mime";
import { beforeAll, describe, expect, test } from "vitest";
import { SILENT_LOG } from "../../kit/log.ts";
import { createMetrics } from "../../kit/metrics.ts";
import { runMailCommand } from "../../mail-command.ts";
import { temporaryDirectory } from "../../testing.ts";
import { composeMail } from "./compose-mail.ts";
import { takeMailConfig } from "./mail-config.ts";
import { MailQueue } from "./mail-queue.ts";
import { startBrokenTlsServer, startMailServer, trustTestCertificate } from "./mail-server.testing.ts";
import { createMailTransport, MailError } from "./mail-transport.ts";

beforeAll(trustTestCertificate);

const CONTENT = {
  to: "ada@example.com",
  subject: "Sign in to Loom",
  paragraphs: ["Somebody wants to sign in as you."],
  button: { label: "Sign in", url: "https://loom.example.com/auth/x?token=abc&y=<z>" },
};

function smtp(port: number, tls: string, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return {
    LOOM_SERVER_SMTP_HOST: "127.0.0.1",
    LOOM_SERVER_SMTP_PORT: String(port),
    LOOM_SERVER_SMTP_TLS: tls,
    LOOM_SERVER_MAIL_FROM: "Loom <loom@example.com>",
    ...more,
  };
}

async function send(env: NodeJS.ProcessEnv): Promise<void> {
  const config = takeMailConfig(env);
  if (config === undefined) throw new Error("no mail");
  await createMailTransport(config)(composeMail(CONTENT));
}

describe("a mail by SMTP", () => {
  test.each([
    ["tls", { secure: true }, true],
    ["starttls", {}, true],
    ["none", { hideSTARTTLS: true }, false],
    ["none", {}, false],
  ] as const)("with %s arrives as it was meant (%j)", async (tls, options, secure) => {
    await using server = await startMailServer(options);
    await send(smtp(server.port, tls));
    expect(server.mails).toMatchObject([{ to: ["ada@example.com"], secure }]);
    const mail = await PostalMime.parse(server.mails[0]?.raw ?? "");
    expect(mail.from).toMatchObject({ name: "Loom", address: "loom@example.com" });
    expect(mail.subject).toBe("Sign in to Loom");
    expect(mail.text).toContain(CONTENT.button.url);
    expect(mail.html).toContain('href="https://loom.example.com/auth/x?token=abc&amp;y=&lt;z&gt;"');
  });

  test("is not sent in the clear where STARTTLS is asked for and not offered", async () => {
    await using server = await startMailServer({ hideSTARTTLS: true, disabledCommands: ["STARTTLS"] });
    await expect(send(smtp(server.port, "starttls"))).rejects.toThrow(MailError);
    expect(server.mails).toEqual([]);
  });

  test("is not sent in the clear where STARTTLS breaks, and neither is the password", async () => {
    await using server = await startBrokenTlsServer();
    const login = { LOOM_SERVER_SMTP_USERNAME: "loom", LOOM_SERVER_SMTP_PASSWORD: "right password" };
    await expect(send(smtp(server.port, "starttls", login))).rejects.toThrow(/could not be used/);
    expect(server.heard.join("")).not.toMatch(/MAIL FROM|AUTH|ada@example/);
  });

  test("is not sent to a server whose certificate nobody vouches for", async () => {
    await using server = await startMailServer();
    const env = { ...smtp(server.port, "starttls"), LOOM_SERVER_SMTP_HOST: "localhost" };
    await expect(send(env)).rejects.toThrow(/does not match certificate/);
    expect(server.mails).toEqual([]);
  });

  test("logs in, and a wrong password is told without itself", async () => {
    await using server = await startMailServer({ authOptional: false });
    const login = { LOOM_SERVER_SMTP_USERNAME: "loom", LOOM_SERVER_SMTP_PASSWORD: "right password" };
    await send(smtp(server.port, "starttls", login));
    expect(server.mails).toMatchObject([{ user: "loom", secure: true }]);
    const wrong = send(smtp(server.port, "starttls", { ...login, LOOM_SERVER_SMTP_PASSWORD: "canary-password" }));
    await expect(wrong).rejects.toThrow(/answered: 535/);
    await wrong.catch((error: unknown) => expect(String(error)).not.toContain("canary"));
  });

  test("with somebody nobody has is refused for good", async () => {
    const refuse = Object.assign(new Error("No such person"), { responseCode: 550 });
    await using server = await startMailServer({ onRcptTo: (_address, _session, done) => done(refuse) });
    await expect(send(smtp(server.port, "none"))).rejects.toMatchObject({ retryable: false });
  });

  test("cannot be given further headers or recipients by what it says", async () => {
    await using server = await startMailServer();
    const config = takeMailConfig(smtp(server.port, "none"));
    if (config === undefined) throw new Error("no mail");
    const hostile = { ...CONTENT, subject: "x\r\nBcc: eve@example.com\r\n\r\nhello" };
    await createMailTransport(config)(composeMail(hostile));
    expect(server.mails[0]?.to).toEqual(["ada@example.com"]);
    expect(server.mails[0]?.raw).not.toMatch(/^Bcc:/im);
  });
});

describe("the settings of mail", () => {
  test.each([
    [{ LOOM_SERVER_SMTP_HOST: "mail" }, "LOOM_SERVER_MAIL_FROM"],
    [{ LOOM_SERVER_SMTP_HOST: "mail", LOOM_SERVER_MAIL_FROM: "a@b" }, "LOOM_SERVER_SMTP_TLS"],
    [smtp(0, "tls"), "LOOM_SERVER_SMTP_PORT"],
    [smtp(25, "TLS please"), "LOOM_SERVER_SMTP_TLS"],
    [smtp(25, "tls", { LOOM_SERVER_SMTP_USERNAME: "x" }), "LOOM_SERVER_SMTP_PASSWORD"],
    [smtp(25, "none", { LOOM_SERVER_SMTP_USERNAME: "x", LOOM_SERVER_SMTP_PASSWORD: "y" }), "without TLS"],
    [smtp(25, "none", { LOOM_SERVER_MAIL_FROM: "a@b\r\nBcc: c@d" }), "LOOM_SERVER_MAIL_FROM"],
    [smtp(25, "none", { LOOM_SERVER_MAIL_DIRECTORY: "x" }), "not both"],
  ])("%j are refused with what to do", (env, named) => {
    expect(() => takeMailConfig({ ...env })).toThrow(named);
  });

  test("leave no password in the environment, and none at all means no mail", () => {
    const env = smtp(25, "tls", { LOOM_SERVER_SMTP_USERNAME: "x", LOOM_SERVER_SMTP_PASSWORD: "canary" });
    expect(JSON.stringify(takeMailConfig(env))).not.toContain("canary");
    expect(env.LOOM_SERVER_SMTP_PASSWORD).toBeUndefined();
    expect(takeMailConfig({})).toBeUndefined();
  });
});

test("for development, each mail is a file that only its owner can read", async () => {
  await using directory = await temporaryDirectory();
  const place = join(directory.path, "mails");
  await send({ LOOM_SERVER_MAIL_DIRECTORY: place });
  const [name = ""] = await readdir(place);
  expect(name).toMatch(/\.eml$/);
  expect((await stat(join(place, name))).mode & 0o777).toBe(0o600);
  expect((await PostalMime.parse(await readFile(join(place, name)))).text).toContain("token=abc");
});

test("the queue tries again what may work later, not what will not, and keeps no more than it can", async () => {
  const attempts: string[] = [];
  const metrics = createMetrics();
  const pauses: number[] = [];
  const queue = new MailQueue({
    log: SILENT_LOG,
    metrics,
    wait: async (ms) => void pauses.push(ms),
    transport: async ({ to }) => {
      attempts.push(to);
      if (to === "later" && attempts.filter((each) => each === to).length < 3) {
        throw new MailError("later", { retryable: true });
      }
      if (to === "never") throw new MailError("never", { retryable: false });
    },
  });
  for (const to of ["later", "never", "now"]) queue.send({ ...composeMail(CONTENT), to });
  await queue.settled();
  expect(attempts.toSorted()).toEqual(["later", "later", "later", "never", "now"]);
  expect(pauses).toEqual([2_000, 20_000]);
  for (let count = 0; count < 1_100; count += 1) queue.send({ ...composeMail(CONTENT), to: "now" });
  await queue.settled();
  const text = await metrics.render();
  expect(text).toContain('loom_mails_total{outcome="failed"} 1');
  expect(text).toContain('loom_mails_total{outcome="dropped"} 96');
});

test("mail to sign in with, or about an account, goes out while other mail fills its own room, and the other way round", async () => {
  const sent: string[] = [];
  const metrics = createMetrics();
  const gate = Promise.withResolvers<void>();
  const queue = new MailQueue({
    log: SILENT_LOG,
    metrics,
    transport: async ({ to }) => {
      if (to !== "signs in" && to !== "is warned") await gate.promise;
      sent.push(to);
    },
  });
  for (let count = 0; count < 1_100; count += 1) queue.send({ ...composeMail(CONTENT), to: "told" });
  queue.send({ ...composeMail(CONTENT), to: "signs in" }, "sign_in");
  queue.send({ ...composeMail(CONTENT), to: "is warned" }, "security");
  await expect.poll(() => sent).toEqual(["signs in", "is warned"]);
  for (let count = 0; count < 1_100; count += 1) queue.send({ ...composeMail(CONTENT), to: "waits" }, "sign_in");
  gate.resolve();
  await queue.settled();
  expect(sent.filter((to) => to === "told")).toHaveLength(1_004);
  expect(await metrics.render()).toContain('loom_mails_total{outcome="dropped"} 194');
});

describe("loom-server mail test", () => {
  async function run(args: string[], env: NodeJS.ProcessEnv) {
    const lines: string[] = [];
    const said: string[] = [];
    const output = { print: (text: string) => void lines.push(text), say: (text: string) => void said.push(text) };
    return { code: await runMailCommand(args, env, output), text: lines.join(""), said: said.join("\n") };
  }

  test("shows the real conversation, without the password", async () => {
    await using server = await startMailServer();
    const login = { LOOM_SERVER_SMTP_USERNAME: "loom", LOOM_SERVER_SMTP_PASSWORD: "right password" };
    const { code, text, said } = await run(["test", "ada@example.com"], smtp(server.port, "starttls", login));
    expect(code).toBe(0);
    for (const part of [
      "< 220",
      "> EHLO",
      "> STARTTLS",
      "> MAIL FROM:<loom@example.com>",
      "> RCPT TO:<ada@example.com>",
      "< 250",
    ]) {
      expect(text).toContain(part);
    }
    expect(text).toContain("AUTH PLAIN [secret]");
    expect(text).not.toContain(Buffer.from("\0loom\0right password").toString("base64"));
    expect(text).not.toContain("right password");
    expect(said).toContain("has taken the mail");
  });

  test("fails with what the server said", async () => {
    const refuse = Object.assign(new Error("Mailbox unavailable"), { responseCode: 550 });
    await using server = await startMailServer({ onRcptTo: (_address, _session, done) => done(refuse) });
    const { code, text, said } = await run(["test", "ada@example.com"], smtp(server.port, "none"));
    expect(code).toBe(1);
    expect(text).toContain("< 550 Mailbox unavailable");
    expect(said).toContain("answered: 550");
  });

  test.each([
    [["test"], "you@example.com"],
    [["test", "nobody"], "you@example.com"],
    [["send"], "use test"],
    [["test", "a@b"], "No mail is set up"],
  ])("%j is refused with what to do", async (args, named) => {
    await expect(run(args, {})).rejects.toThrow(named);
  });
});
