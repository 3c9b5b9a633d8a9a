import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import { TestBrowser } from "./browser.testing.ts";
import { type FakeGithub, GITHUB_CLIENT, startFakeGithub } from "./fake-github.testing.ts";
import { type SignInServer, startSignInServer } from "./sign-in.testing.ts";

describe.each(engines)("on $name", (engine) => {
  let home: TestHome;
  let github: FakeGithub;
  let loom: SignInServer;

  beforeEach(async () => {
    home = await engine.create();
    github = await startFakeGithub();
    loom = await startSignInServer(home, {
      LOOM_SERVER_GITHUB_BASE_URL: github.url,
      LOOM_SERVER_GITHUB_CLIENT_ID: GITHUB_CLIENT.id,
      LOOM_SERVER_GITHUB_CLIENT_SECRET: GITHUB_CLIENT.secret,
    });
  });

  afterEach(async () => {
    await loom[Symbol.asyncDispose]();
    await github[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  const signIn = (browser = new TestBrowser()) => browser.open(`${loom.url}/auth/login/github`);

  test("who has a primary address that GitHub has verified comes in by that, with his name there", async () => {
    const page = await signIn();
    expect([page.status, page.url]).toEqual([200, `${loom.url}/auth/account`]);
    expect(page.text).toContain("octocat@example.com");
    expect(page.text).toContain("<strong>octocat</strong>");
    expect(page.text).not.toContain("private@example.com");
    // Another name and address there is the same person still: the number counts.
    github.user = { id: 583231, login: "squid" };
    github.emails = [{ email: "squid@example.com", primary: true, verified: true }];
    expect((await signIn()).text).toContain("<strong>octocat</strong>");
    // The name that he had is another's now, who is another person.
    github.user = { id: 7, login: "octocat" };
    expect((await signIn()).text).toContain("squid@example.com");
  });

  test.each<[string, (github: FakeGithub) => void, number]>([
    [
      "whose primary address is not verified",
      (it) => (it.emails = [{ email: "a@b.example", primary: true, verified: false }]),
      403,
    ],
    ["who has only others", (it) => (it.emails = [{ email: "a@b.example", primary: false, verified: true }]), 403],
    ["of whom GitHub tells no addresses", (it) => (it.emails = { message: "no" }), 502],
    ["who has no number", (it) => (it.user = { login: "octocat" }), 502],
    ["whose number is a text", (it) => (it.user = { id: "583231", login: "octocat" }), 502],
    ["when GitHub does not answer", (it) => (it.apiStatus = 503), 502],
  ])("nobody comes in %s", async (_, change, status) => {
    change(github);
    const browser = new TestBrowser();
    expect((await signIn(browser)).status).toBe(status);
    expect(browser.jar("127.0.0.1").has("loom_session")).toBe(false);
  });

  test("a code that GitHub did not give opens nothing", async () => {
    const browser = new TestBrowser();
    const there = await browser.open(`${loom.url}/auth/login/github`, { follow: false });
    const state = new URL(String(there.headers.location)).searchParams.get("state");
    const page = await browser.open(`${loom.url}/auth/callback/github?code=mine&state=${state}`);
    expect([page.status, browser.jar("127.0.0.1").has("loom_session")]).toEqual([502, false]);
  });
});
