// Every way in stops at the second factor: a real server, a real provider, real mail.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startServer, takeServerConfig } from "../../index.ts";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import type { RunningServer } from "../../server.ts";
import { takeMailConfig } from "../mail/mail-config.ts";
import { type Page, TestBrowser } from "../sign-in/browser.testing.ts";
import { directoryInbox } from "../sign-in/by-mail.testing.ts";
import { CLIENT, type RealProvider, startRealProvider } from "../sign-in/real-provider.testing.ts";
import { takeSignInConfig } from "../sign-in/sign-in-config.ts";
import { addApp } from "./factor.testing.ts";

describe.each(engines)("on $name", { timeout: 120_000 }, (engine) => {
  let home: TestHome;
  let okta: RealProvider;
  let server: RunningServer;
  /** Signed in since before there was a second factor; the first person, and so a system admin. */
  let ada: TestBrowser;
  let codes: string[];

  beforeEach(async () => {
    home = await engine.create();
    okta = await startRealProvider({ name: "okta", loom: () => server.url });
    server = await startServer({
      config: takeServerConfig({}),
      access: { type: "owner", tokenFile: join(home.path, "token"), replace: true },
      dataDirectory: home.path,
      postgres: home.postgres,
      mail: takeMailConfig({ LOOM_SERVER_MAIL_DIRECTORY: join(home.path, "mail") }),
      signIn: takeSignInConfig({
        LOOM_SERVER_DEV_USER: "ada@example.com",
        LOOM_SERVER_OKTA_DOMAIN: okta.issuer,
        LOOM_SERVER_OKTA_CLIENT_ID: CLIENT.id,
        LOOM_SERVER_OKTA_CLIENT_SECRET: CLIENT.secret,
      }),
    });
    ada = new TestBrowser();
    await ada.open(at("/auth/development"));
    codes = [...(await addApp(server.url, ada)).recoveryCodes];
  });
  afterEach(async () => {
    await server.close();
    await okta[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  const at = (path: string): string => `${server.url}${path}`;

  /** Nothing is his yet: no page, no API, no program that he lets in. */
  async function expectOutside(browser: TestBrowser): Promise<void> {
    expect(browser.jar("127.0.0.1").has("loom_session")).toBe(false);
    expect((await browser.open(at("/api/sessions"))).status).toBe(401);
    expect((await browser.open(at("/auth/account"), { follow: false })).status).toBe(303);
    expect((await browser.open(at("/auth/factors"), { follow: false })).headers.location).toMatch(/^\/auth\/sign-in/);
    expect((await browser.submit(at("/auth/factors/totp"), { name: "Mine" })).status).toBe(401);
    expect((await browser.submit(at("/auth/factors/remove"), { id: "factor-1" })).status).toBe(401);
    expect((await browser.open(at("/device?user_code=AAAA-AAAA"), { follow: false })).status).toBe(303);
    expect((await browser.submit(at("/device"), { user_code: "AAAA-AAAA", decision: "allow" })).status).toBe(401);
    const challenge = "a".repeat(43);
    const query = new URLSearchParams({
      client_id: "loom-cli",
      redirect_uri: "http://127.0.0.1:1/callback",
      response_type: "code",
      code_challenge: challenge,
      code_challenge_method: "S256",
    });
    const approval = await browser.open(at(`/oauth/authorize?${query}`), { follow: false });
    expect(approval.headers.location).toMatch(/^\/auth\/sign-in/);
    // What the browser waits with is no session.
    const pending = browser.jar("127.0.0.1").get("loom_second_factor") ?? expect.fail("does not wait");
    for (const token of [pending, `ls_${pending}`]) {
      const asked = await fetch(at("/api/whoami"), { headers: { authorization: `Bearer ${token}` } });
      expect(asked.status).toBe(401);
      const asCookie = await fetch(at("/api/sessions"), { headers: { cookie: `loom_session=${token}` } });
      expect(asCookie.status).toBe(401);
    }
  }

  const byMail = async (browser: TestBrowser): Promise<Page> => {
    await browser.submit(at("/auth/magic-link"), { email: "ada@example.com" });
    // There is news of the account as well.
    const inbox = directoryInbox(join(home.path, "mail"));
    const links = async () => (await inbox("ada@example.com")).filter(({ subject }) => subject === "Sign in to Loom");
    await expect.poll(async () => (await links()).length, { timeout: 20_000 }).toBe(1);
    const text = (await links())[0]?.text ?? "";
    const token = new URL(/http\S+/.exec(text)?.[0] ?? "").searchParams.get("token") ?? "";
    return browser.submit(at("/auth/magic-link/redeem"), { token });
  };

  test.each<[string, (browser: TestBrowser) => Promise<Page>]>([
    ["a provider", (browser) => browser.open(at("/auth/login/okta"))],
    ["the user of development", (browser) => browser.open(at("/auth/development"))],
    ["a link by mail", byMail],
  ])("by %s one stands before the second factor, and with it one is in", async (_, signIn) => {
    const browser = new TestBrowser();
    const page = await signIn(browser);
    expect([page.status, new URL(page.url).pathname]).toEqual([200, "/auth/second-factor"]);
    expect(page.text).not.toContain("ada");
    await expectOutside(browser);
    const wrong = await browser.submit(at("/auth/second-factor"), { code: "000000" });
    expect(wrong.status).toBe(403);
    expect(wrong.text).toContain("This code is wrong");
    const form = { code: codes[0] ?? "", redirect_to: "/auth/factors" };
    const inside = await browser.submit(at("/auth/second-factor"), form);
    expect([inside.status, inside.url]).toEqual([200, at("/auth/factors")]);
    expect(inside.text).toContain("9 left");
    expect(browser.jar("127.0.0.1").has("loom_second_factor")).toBe(false);
  });

  test("what waits is for its own browser, its own pages, and one time", async () => {
    const [browser, other] = [new TestBrowser(), new TestBrowser()];
    await browser.open(at("/auth/development"));
    const form = { code: codes[0] ?? "" };
    const elsewhere = await other.submit(at("/auth/second-factor"), form);
    expect(elsewhere.status).toBe(403);
    expect(other.jar("127.0.0.1").has("loom_session")).toBe(false);
    const foreign = await browser.submit(at("/auth/second-factor"), form, {
      headers: { origin: "https://evil.example" },
    });
    expect(foreign.status).toBe(403);
    const cookie = `loom_second_factor=${browser.jar("127.0.0.1").get("loom_second_factor")}`;
    const body = new URLSearchParams(form);
    const silent = await fetch(at("/auth/second-factor"), { method: "POST", headers: { cookie }, body });
    expect(silent.status).toBe(403);
    // The code is not used up by any of that.
    expect((await browser.submit(at("/auth/second-factor"), form)).url).toBe(at("/auth/account"));
    const again = await fetch(at("/auth/second-factor"), {
      method: "POST",
      headers: { cookie, origin: server.url },
      body: new URLSearchParams({ code: codes[1] ?? "" }),
    });
    expect(again.status).toBe(403);
    expect(await again.text()).toContain("sign in anew");
  });

  test("an administrator removes what is lost, and ends what there is; nobody in another's place does", async () => {
    const owner = (await readFile(join(home.path, "token"), "utf8")).trim();
    const me = JSON.parse((await ada.open(at("/api/whoami"))).text) as { id: string };
    const remove = (token: string) =>
      fetch(at(`/api/admin/users/${me.id}/factors`), {
        method: "DELETE",
        headers: { authorization: `Bearer ${token}` },
      });
    expect((await remove("lt_nobody")).status).toBe(401);
    const answer = await remove(owner);
    expect([answer.status, await answer.json()]).toEqual([200, { removed: 1 }]);
    expect((await ada.open(at("/api/sessions"))).status).toBe(401);
    expect((await new TestBrowser().open(at("/auth/development"))).url).toBe(at("/auth/account"));
  });
});
