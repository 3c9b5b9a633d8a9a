import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { engines, everythingIn, type TestHome } from "../../kit/engines.testing.ts";
import { TestBrowser } from "./browser.testing.ts";
import { CLIENT, type RealProvider, startRealProvider } from "./real-provider.testing.ts";
import { type SignInServer, startSignInServer } from "./sign-in.testing.ts";

describe.each(engines)("on $name", (engine) => {
  let home: TestHome;
  let okta: RealProvider;
  let google: RealProvider;
  let loom: SignInServer;

  beforeEach(async () => {
    home = await engine.create();
    const url = (): string => loom.url;
    okta = await startRealProvider({ name: "okta", loom: url });
    // Google puts the address into the ID token and wants the secret in the body.
    google = await startRealProvider({
      name: "google",
      loom: url,
      configuration: { conformIdTokenClaims: false, clientAuthMethods: ["client_secret_post"] },
      client: { token_endpoint_auth_method: "client_secret_post" },
    });
    loom = await start();
  });

  afterEach(async () => {
    await loom[Symbol.asyncDispose]();
    await okta[Symbol.asyncDispose]();
    await google[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  const start = (env: Readonly<Record<string, string>> = {}): Promise<SignInServer> =>
    startSignInServer(home, {
      LOOM_SERVER_OKTA_DOMAIN: okta.issuer,
      LOOM_SERVER_OKTA_CLIENT_ID: CLIENT.id,
      LOOM_SERVER_OKTA_CLIENT_SECRET: CLIENT.secret,
      LOOM_SERVER_GOOGLE_ISSUER: google.issuer,
      LOOM_SERVER_GOOGLE_CLIENT_ID: CLIENT.id,
      LOOM_SERVER_GOOGLE_CLIENT_SECRET: CLIENT.secret,
      ...env,
    });

  async function restart(env: Readonly<Record<string, string>>): Promise<void> {
    await loom[Symbol.asyncDispose]();
    loom = await start(env);
  }

  const signIn = (browser: TestBrowser, provider: string, query = "") =>
    browser.open(`${loom.url}/auth/login/${provider}${query}`);

  test("a person signs in with Okta, is known, and signs out", async () => {
    const browser = new TestBrowser({ "user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0" });
    const page = await signIn(browser, "okta");
    expect([page.status, page.url]).toEqual([200, `${loom.url}/auth/account`]);
    expect(page.text).toContain("ada@example.com");
    expect(page.text).toContain("Firefox on Linux");
    const token = browser.jar("127.0.0.1").get("loom_session") ?? "";
    expect(token).toMatch(/^ls_/);
    expect(browser.jar("127.0.0.1").has("loom_sign_in")).toBe(false);

    const { identities } = JSON.parse((await browser.open(`${loom.url}/api/identities`)).text);
    expect(identities).toMatchObject([
      { provider: "okta", issuer: okta.issuer, subject: "ada", email: "ada@example.com" },
    ]);
    const { sessions } = JSON.parse((await browser.open(`${loom.url}/api/sessions`)).text);
    expect(sessions).toMatchObject([{ kind: "web", current: true, device: "Firefox on Linux", address: "127.0.0.1" }]);

    const out = await browser.submit(`${loom.url}/auth/sign-out`);
    expect(out.url).toBe(`${loom.url}/auth/sign-in`);
    expect(browser.jar("127.0.0.1").has("loom_session")).toBe(false);
    // Who kept the cookie has nothing.
    browser.jar("127.0.0.1").set("loom_session", token);
    expect((await browser.open(`${loom.url}/api/sessions`)).status).toBe(401);
    await loom.server.close();
    expect(await everythingIn(home)).not.toContain(token.slice(3, 20));
  });

  test("what goes to the provider has a challenge, a state and a nonce, and no secret", async () => {
    await signIn(new TestBrowser(), "okta");
    const asked = new URL(okta.requests.find((each) => each.startsWith("/auth?")) ?? "", okta.issuer).searchParams;
    expect(Object.fromEntries(asked)).toMatchObject({
      response_type: "code",
      scope: "openid email profile",
      code_challenge_method: "S256",
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      redirect_uri: `${loom.url}/auth/callback/okta`,
    });
    expect(okta.requests.join()).not.toContain(CLIENT.secret);
  });

  test("one verified address at two providers is one person; the last identity stays", async () => {
    const browser = new TestBrowser();
    await signIn(browser, "okta");
    const user = (await browser.open(`${loom.url}/auth/account`)).text;
    google.person = { sub: "g-17", email: "ADA@example.com", email_verified: true };
    const again = await signIn(browser, "google");
    expect([again.status, again.text.slice(again.text.indexOf("<main"))]).toEqual([
      200,
      expect.stringContaining("Google"),
    ]);
    const list = async (): Promise<{ id: string; provider: string }[]> =>
      JSON.parse((await browser.open(`${loom.url}/api/identities`)).text).identities;
    const both = await list();
    expect(both.map(({ provider }) => provider).sort()).toEqual(["google", "okta"]);
    expect(user).toContain("ada");

    const remove = (id: string) =>
      browser.open(`${loom.url}/api/identities/${id}`, { method: "DELETE", headers: { origin: loom.url } });
    const [one, two] = both;
    // Both at once: one of them stays.
    const answers = await Promise.all([remove(one?.id ?? ""), remove(two?.id ?? "")]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(await list()).toHaveLength(1);
    const page = await browser.submit(`${loom.url}/auth/account/remove-identity`, { id: (await list())[0]?.id ?? "" });
    expect([page.status, page.text]).toEqual([409, expect.stringContaining("only way left")]);
  });

  test.each([
    ["does not say that it is verified", { sub: "x", email: "ada@example.com" }],
    ["says that it is not", { sub: "x", email: "ada@example.com", email_verified: false }],
    ["names none", { sub: "x", email_verified: true }],
  ])("an address that the provider %s opens no account", async (_, person) => {
    await signIn(new TestBrowser(), "okta");
    google.person = person;
    const browser = new TestBrowser();
    const page = await signIn(browser, "google");
    expect([page.status, page.text]).toEqual([403, expect.stringContaining("mail address is your own")]);
    expect(browser.jar("127.0.0.1").has("loom_session")).toBe(false);
  });

  test("a provider is believed about its own domains only, where it has some", async () => {
    await restart({ LOOM_SERVER_GOOGLE_DOMAINS: "example.org, Example.net" });
    google.person = { sub: "g", email: "ada@example.com", email_verified: true };
    expect((await signIn(new TestBrowser(), "google")).status).toBe(403);
    google.person = { sub: "h", email: "bob@example.net", email_verified: true };
    expect((await signIn(new TestBrowser(), "google")).status).toBe(200);
  });

  test("who does not want to, at the provider, is told so", async () => {
    okta.person = undefined;
    const page = await signIn(new TestBrowser(), "okta");
    expect([page.status, page.text]).toEqual([403, expect.stringContaining("do not want to sign in")]);
  });

  test("where signing up is closed, only those come in who have an account", async () => {
    await signIn(new TestBrowser(), "okta");
    await restart({ LOOM_SERVER_SIGNUPS: "closed" });
    expect((await signIn(new TestBrowser(), "okta")).status).toBe(200);
    okta.person = { sub: "bob", email: "bob@example.com", email_verified: true };
    const page = await signIn(new TestBrowser(), "okta");
    expect([page.status, page.text]).toEqual([403, expect.stringContaining("no new ones are made")]);
  });

  test("the first who signs in is system admin, the next is not", async () => {
    const [ada, bob] = [new TestBrowser(), new TestBrowser()];
    await signIn(ada, "okta");
    okta.person = { sub: "bob", email: "bob@example.com", email_verified: true };
    await signIn(bob, "okta");
    expect((await ada.open(`${loom.url}/api/admin/domains`)).status).toBe(200);
    expect((await bob.open(`${loom.url}/api/admin/domains`)).status).toBe(403);
  });

  test("signing in gives a new session and ends the one that the browser had", async () => {
    const browser = new TestBrowser();
    // Somebody has planted a session of his own, and one that never was.
    const thief = new TestBrowser();
    okta.person = { sub: "eve", email: "eve@example.com", email_verified: true };
    await signIn(thief, "okta");
    const planted = thief.jar("127.0.0.1").get("loom_session") ?? "";
    browser.jar("127.0.0.1").set("loom_session", planted);
    okta.person = { sub: "ada", email: "ada@example.com", email_verified: true };
    await signIn(browser, "okta");
    const token = browser.jar("127.0.0.1").get("loom_session");
    expect(token).not.toBe(planted);
    expect((await thief.open(`${loom.url}/api/sessions`)).status).toBe(401);

    const made = `ls_${"A".repeat(43)}`;
    browser.jar("127.0.0.1").set("loom_session", made);
    await signIn(browser, "okta");
    expect(browser.jar("127.0.0.1").get("loom_session")).not.toBe(made);
  });

  test("afterwards the browser goes where it wanted, if that is here", async () => {
    const page = await signIn(new TestBrowser(), "okta", "?redirect_to=%2Fauth%2Fproviders%3Fx%3D1");
    expect(page.url).toBe(`${loom.url}/auth/providers?x=1`);
    for (const wish of [
      "https://evil.example/",
      "//evil.example/",
      "/\\evil.example/",
      "/\t/evil.example",
      "/\n/evil.example",
      "javascript:alert(1)",
      "evil",
      "",
      "/%",
      `/${"a".repeat(2_000)}`,
      "\\/evil.example",
      "/ä",
    ]) {
      for (const path of ["sign-in", "login/okta", "start"]) {
        const query = new URLSearchParams({ redirect_to: wish, ...(path === "start" ? { email: "a@b.example" } : {}) });
        const answer = await new TestBrowser().open(`${loom.url}/auth/${path}?${query}`, { follow: false });
        if (wish === "/%") expect(answer.status).toBeLessThan(400);
        else expect([wish, path, answer.status]).toEqual([wish, path, 400]);
      }
    }
  });

  test("an organization's domain leads to its provider, and can be let in by no other", async () => {
    const put = (forced: boolean, provider = "okta", organization = "acme") =>
      loom.call("PUT", "/api/admin/domains/Example.COM", { organization, provider, forced });
    expect((await signIn(new TestBrowser(), "okta")).status).toBe(200);
    const { users } = (await loom.call("GET", "/api/admin/users")).json as { users: { id: string }[] };
    for (const slug of ["acme", "gone"]) await loom.call("POST", "/api/orgs", { slug, owner: users[0]?.id });
    const { id } = (await loom.call("GET", "/api/orgs/acme")).json as { id: string };
    await loom.call("DELETE", "/api/orgs/gone", undefined, "*");
    expect((await put(false, "nobody")).status).toBe(400);
    for (const wrong of ["nobody", "gone", "org-1"]) {
      const { status, json } = await put(false, "okta", wrong);
      expect([status, (json as { errors: unknown }).errors]).toMatchObject([400, [{ field: "organization" }]]);
    }
    expect((await put(false)).json).toMatchObject({ domain: "example.com", provider: "okta", organization: id });
    const start = (email: string) =>
      new TestBrowser().open(`${loom.url}/auth/start?email=${encodeURIComponent(email)}`);
    expect((await start("ada@example.com")).text).not.toContain("/auth/login/google");
    expect((await start("ada@EXAMPLE.com")).text).toContain("/auth/login/okta");
    expect((await start("ada@elsewhere.example")).text).toContain("/auth/login/google");

    google.person = { sub: "g", email: "ada@example.com", email_verified: true };
    expect((await signIn(new TestBrowser(), "google")).status).toBe(200);
    await put(true);
    // Also by an identity that was linked before.
    const page = await signIn(new TestBrowser(), "google");
    expect([page.status, page.text]).toEqual([403, expect.stringContaining("sign in with Okta only")]);
    expect((await signIn(new TestBrowser(), "okta")).status).toBe(200);
    expect(((await loom.call("GET", "/api/admin/domains")).json as { domains: unknown[] }).domains).toHaveLength(1);
    expect((await loom.call("DELETE", "/api/admin/domains/example.com")).status).toBe(200);
    expect((await loom.call("DELETE", "/api/admin/domains/example.com")).status).toBe(404);
    expect((await signIn(new TestBrowser(), "google")).status).toBe(200);
  });

  test("the pages list the providers, without a script and in nobody's frame", async () => {
    const page = await new TestBrowser().open(`${loom.url}/`);
    expect(page.url).toBe(`${loom.url}/auth/sign-in`);
    expect(page.text).toContain("Continue with Okta");
    expect(page.text).toContain("Continue with Google");
    expect(page.text).not.toMatch(/<script|javascript:|\son\w+=/i);
    expect(page.headers).toMatchObject({
      "content-security-policy": expect.stringMatching(/default-src 'none'.*frame-ancestors 'none'/),
      "x-frame-options": "DENY",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    });
    const { providers } = JSON.parse((await new TestBrowser().open(`${loom.url}/auth/providers`)).text);
    expect(providers).toEqual([
      { name: "okta", label: "Okta" },
      { name: "google", label: "Google" },
    ]);
    expect((await new TestBrowser().open(`${loom.url}/auth/login/github`)).status).toBe(404);
  });
});
