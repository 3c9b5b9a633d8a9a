import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import PostalMime from "postal-mime";
import { describe, expect, test } from "vitest";
import { engines, testDatabase } from "../../kit/engines.testing.ts";
import { startOwnerServer, temporaryDirectory } from "../../testing.ts";
import { takeMailConfig } from "../mail/mail-config.ts";
import { TestBrowser } from "../sign-in/browser.testing.ts";
import { NO_SIGN_IN } from "../sign-in/sign-in-config.ts";
import { type MagicLinkTables, migrations } from "./migrations.ts";
import { createMagicLinkService } from "./service.ts";

describe.each(engines)("a link on $name", (engine) => {
  async function start() {
    let now = Date.UTC(2026, 10, 20);
    const home = await testDatabase(engine, [{ feature: "magic-link", migrations }]);
    const opened = await home.open();
    const database = async () => opened;
    return {
      opened,
      service: createMagicLinkService({ database, now: () => now }),
      pass(ms: number) {
        now += ms;
      },
      [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
    };
  }

  test("works once, whoever has looked at it before", async () => {
    await using world = await start();
    const token = await world.service.mint("Ada@Example.com", "/x");
    for (let scan = 0; scan < 5; scan += 1) expect(await world.service.isGood(token)).toBe(true);
    const all = await Promise.all([
      world.service.redeem(token),
      world.service.redeem(token),
      world.service.redeem(token),
    ]);
    expect(all.filter((each) => each !== undefined)).toEqual([{ email: "ada@example.com", redirectTo: "/x" }]);
    expect(await world.service.isGood(token)).toBe(false);
  });

  test("works ten minutes, and not once there is a newer one", async () => {
    await using world = await start();
    const first = await world.service.mint("ada@example.com", "/");
    const second = await world.service.mint("ADA@example.com", "/");
    expect(await world.service.redeem(first)).toBeUndefined();
    world.pass(600_000);
    expect(await world.service.isGood(second)).toBe(false);
    expect(await world.service.redeem(second)).toBeUndefined();
    const third = await world.service.mint("ada@example.com", "/");
    world.pass(600_001);
    await world.service.purge();
    expect(await world.opened.tables<MagicLinkTables>().selectFrom("magic_link").selectAll().execute()).toEqual([]);
    expect(await world.service.redeem(third)).toBeUndefined();
  });

  test("is in the database as a hash only", async () => {
    await using world = await start();
    const token = await world.service.mint("ada@example.com", "/");
    const rows = await world.opened.tables<MagicLinkTables>().selectFrom("magic_link").selectAll().execute();
    const text = JSON.stringify(rows, (_, value) =>
      value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value,
    );
    expect(text).toContain("ada@example.com");
    expect(text).not.toContain(token);
  });
});

describe("signing in by mail", () => {
  async function start(more: Partial<typeof NO_SIGN_IN> = {}) {
    const mails = await temporaryDirectory();
    const mail = takeMailConfig({ LOOM_SERVER_MAIL_DIRECTORY: mails.path });
    const test = await startOwnerServer({ server: { mail, signIn: { ...NO_SIGN_IN, ...more } } });
    const { url } = test.server;
    const browser = new TestBrowser();
    const form = (path: string, body: Record<string, string>, headers: Record<string, string> = {}) =>
      browser.submit(`${url}${path}`, body, { headers, follow: false });
    return {
      url,
      form,
      get: (path: string) => browser.open(`${url}${path}`),
      /** The links in the mails so far, in order; waits for `count`. */
      async links(count: number): Promise<{ to: string; path: string }[]> {
        const names = async () => (await readdir(mails.path)).filter((name) => name.endsWith(".eml"));
        await expect.poll(async () => (await names()).length, { timeout: 10_000 }).toBe(count);
        const files = (await names()).toSorted();
        return Promise.all(
          files.map(async (name) => {
            const parsed = await PostalMime.parse(await readFile(join(mails.path, name)));
            const link = /http\S+/.exec(parsed.text ?? "")?.[0] ?? "";
            return { to: parsed.to?.[0]?.address ?? "", path: link.slice(url.length) };
          }),
        );
      },
      async [Symbol.asyncDispose]() {
        await test[Symbol.asyncDispose]();
        await mails[Symbol.asyncDispose]();
      },
    };
  }
  test("from the form to the account, with a scanner that opens the link first", async () => {
    await using world = await start();
    expect((await world.get("/auth/sign-in")).text).toContain('action="/auth/magic-link"');
    const asked = await world.form("/auth/magic-link", { email: "ada@example.com", redirect_to: "/auth/account" });
    expect(asked.status).toBe(202);
    const [link] = await world.links(1);
    expect(link?.to).toBe("ada@example.com");
    const scans = await Promise.all([world.get(link?.path ?? ""), world.get(link?.path ?? "")]);
    for (const scan of scans) {
      expect(scan.status).toBe(200);
      expect(scan.text).toContain("<button>Sign in</button>");
      expect(scan.headers["set-cookie"]).toBeUndefined();
      expect(scan.headers["referrer-policy"]).toBe("same-origin");
    }
    const token = new URLSearchParams(link?.path.split("?")[1]).get("token") ?? "";
    const signedIn = await world.form("/auth/magic-link/redeem", { token });
    expect([signedIn.status, signedIn.headers.location]).toEqual([303, "/auth/account"]);
    const account = await world.get("/auth/account");
    expect(account.text).toContain("ada@example.com");
    expect((await world.form("/auth/magic-link/redeem", { token })).status).toBe(410);
  });

  test("the answer is the same for an address that nobody here has, and no mail goes there", async () => {
    await using world = await start({ signups: "closed" });
    const known = await world.form("/auth/magic-link", { email: "ada@example.com" });
    const unknown = await world.form("/auth/magic-link", { email: "eve@example.com" });
    const page = (text: string) => text.replaceAll(/(?:ada|eve)@/g, "");
    expect([unknown.status, page(unknown.text)]).toEqual([known.status, page(known.text)]);
    expect(await world.links(0)).toEqual([]);
  });

  test("another site can neither ask for links nor use them up, nor be gone on to", async () => {
    await using world = await start();
    const evil = { origin: "https://evil.example" };
    expect((await world.form("/auth/magic-link", { email: "ada@example.com" }, evil)).status).toBe(403);
    expect((await world.form("/auth/magic-link/redeem", { token: "x" }, evil)).status).toBe(403);
    for (const wish of ["https://evil.example", "//evil.example", "/\\evil.example"]) {
      expect((await world.form("/auth/magic-link", { email: "ada@example.com", redirect_to: wish })).status).toBe(400);
    }
    expect(await world.links(0)).toEqual([]);
  });

  test("nobody's mailbox is filled", async () => {
    await using world = await start();
    const answers: number[] = [];
    for (let count = 0; count < 6; count += 1) {
      answers.push((await world.form("/auth/magic-link", { email: "ada@example.com" })).status);
    }
    expect(answers).toEqual([202, 202, 202, 202, 202, 429]);
    expect(await world.links(5)).toHaveLength(5);
  });

  test.each(["nobody", "a b@c", "a@b\r\nBcc: c@d", `${"x".repeat(300)}@example.com`, "ada@%00", ""])(
    "%j is no address",
    async (email) => {
      await using world = await start();
      const answer = await world.form("/auth/magic-link", { email });
      expect(answer.status).toBe(400);
      expect(answer.text).toContain("email");
    },
  );

  test("is off without mail, and cannot be turned on", async () => {
    await using test = await startOwnerServer({ server: { signIn: { ...NO_SIGN_IN, magicLink: false } } });
    const answer = await new TestBrowser().open(`${test.server.url}/auth/magic-link?token=x`);
    expect(answer.status).toBe(404);
    await expect(startOwnerServer({ server: { signIn: { ...NO_SIGN_IN, magicLink: true } } })).rejects.toThrow(
      "LOOM_SERVER_SMTP_HOST",
    );
  });
});
