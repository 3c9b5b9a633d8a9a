import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { engines, sqlite, type TestHome } from "../../kit/engines.testing.ts";
import { type BrowserRequest, TestBrowser } from "./browser.testing.ts";
import { GITHUB_CLIENT, startFakeGithub } from "./fake-github.testing.ts";
import { type SignInServer, startSignInServer } from "./sign-in.testing.ts";

describe.each(engines)("on $name", (engine) => {
  let home: TestHome;
  let loom: SignInServer;
  let browser: TestBrowser;

  beforeEach(async () => {
    home = await engine.create();
    loom = await startSignInServer(home, { LOOM_SERVER_DEV_USER: "ada@example.com" });
    browser = new TestBrowser();
    await browser.open(`${loom.url}/auth/development`);
  });

  afterEach(async () => {
    await loom[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  const ask = (headers: Record<string, string>, options: BrowserRequest = {}) =>
    browser.open(`${loom.url}/api/sessions`, { method: "DELETE", headers, follow: false, ...options });

  test("another site's page changes nothing, whatever it makes the browser send", async () => {
    const foreign = [
      {},
      { origin: "null" },
      { origin: "https://evil.example" },
      { origin: loom.url.replace(/\d+$/, "1") },
      { origin: loom.url.replace("http:", "https:") },
      { origin: `${loom.url}.evil.example` },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { "sec-fetch-site": "none" },
      { origin: "https://evil.example", "sec-fetch-site": "same-origin" },
      { referer: `${loom.url}/auth/account` },
    ] as Record<string, string>[];
    for (const headers of foreign) {
      const { status, text } = await ask(headers);
      expect([headers, status, JSON.parse(text).code]).toEqual([headers, 403, "origin_not_allowed"]);
      const page = await browser.open(`${loom.url}/auth/sign-out`, {
        method: "POST",
        form: {},
        headers,
        follow: false,
      });
      expect([headers, page.status]).toEqual([headers, 403]);
    }
    expect((await browser.open(`${loom.url}/api/sessions`)).status).toBe(200);
  });

  test("the server's own pages do, under whatever name it is called", async () => {
    expect((await ask({ origin: loom.url })).status).toBe(200);
    expect((await ask({ "sec-fetch-site": "same-origin" })).status).toBe(200);
    const host = `localhost:${new URL(loom.url).port}`;
    expect((await ask({ host, origin: `http://${host}` })).status).toBe(200);
    expect((await ask({ host, origin: loom.url })).status).toBe(403);
  });

  test("a cookie that comes twice is refused: one of them somebody else has planted", async () => {
    const token = browser.jar("127.0.0.1").get("loom_session");
    for (const planted of ["loom_session=ls_x", `loom_session=${token}`]) {
      const cookie = `loom_session=${token}; ${planted}`;
      expect((await new TestBrowser({ cookie }).open(`${loom.url}/api/sessions`)).status).toBe(400);
    }
    const cookie = `x=1; loom_session=${token}; xloom_session=2`;
    expect((await new TestBrowser({ cookie }).open(`${loom.url}/api/sessions`)).status).toBe(200);
  });

  test("a token comes before a cookie, also one that means nothing", async () => {
    expect((await ask({ authorization: "Bearer lt_nothing", origin: loom.url })).status).toBe(401);
    expect((await ask({ authorization: "Basic eDp5", origin: loom.url })).status).toBe(401);
  });

  test("a cookie that means nothing is as good as none", async () => {
    const token = browser.jar("127.0.0.1").get("loom_session") ?? "";
    for (const value of ["", "nonsense", `ls_${"A".repeat(43)}`, token.slice(0, -1), `${token}x`, `"${token}"`]) {
      const cookie = `loom_session=${value}`;
      const stranger = new TestBrowser({ cookie });
      expect([value, (await stranger.open(`${loom.url}/api/sessions`)).status]).toEqual([value, 401]);
      expect((await stranger.open(`${loom.url}/auth/sign-in`)).status).toBe(200);
    }
  });

  test("a browser's session is no token, and a cookie of another name no session", async () => {
    const token = browser.jar("127.0.0.1").get("loom_session") ?? "";
    const authorization = `Bearer ${token}`;
    expect((await new TestBrowser().open(`${loom.url}/api/sessions`, { headers: { authorization } })).status).toBe(401);
    const cookie = `__Host-loom_session=${token}`;
    expect((await new TestBrowser({ cookie }).open(`${loom.url}/api/sessions`)).status).toBe(401);
  });

  test("the page ends another session, all others, and not somebody else's", async () => {
    const other = new TestBrowser();
    await other.open(`${loom.url}/auth/development`);
    const third = new TestBrowser();
    await third.open(`${loom.url}/auth/development`);
    const { sessions } = JSON.parse((await other.open(`${loom.url}/api/sessions`)).text);
    const id = sessions.find((each: { current: boolean }) => each.current).id;
    expect((await browser.submit(`${loom.url}/auth/account/end-session`, { id })).url).toBe(`${loom.url}/auth/account`);
    expect((await other.open(`${loom.url}/api/sessions`)).status).toBe(401);
    await browser.submit(`${loom.url}/auth/account/end-session`, { id: "session-of-somebody-else" });
    await browser.submit(`${loom.url}/auth/account/end-others`);
    expect((await third.open(`${loom.url}/api/sessions`)).status).toBe(401);
    expect((await browser.open(`${loom.url}/api/sessions`)).status).toBe(200);
    const ticket = await browser.open(`${loom.url}/auth/ws-ticket`, { method: "POST", headers: { origin: loom.url } });
    expect(JSON.parse(ticket.text).ticket).toMatch(/^lw_/);
  });
});

test("behind https, cookies are for this host alone and for https alone", async () => {
  await using github = await startFakeGithub();
  await using home = await sqlite.create();
  await using loom = await startSignInServer(home, {
    LOOM_SERVER_PUBLIC_URL: "https://loom.example.com",
    LOOM_SERVER_GITHUB_BASE_URL: github.url,
    LOOM_SERVER_GITHUB_CLIENT_ID: GITHUB_CLIENT.id,
    LOOM_SERVER_GITHUB_CLIENT_SECRET: GITHUB_CLIENT.secret,
  });
  const browser = new TestBrowser();
  const host = "loom.example.com";
  const step = (address: string, options: BrowserRequest = {}) =>
    browser.open(address.replace(`https://${host}`, loom.url), {
      follow: false,
      ...options,
      headers: { host, ...options.headers },
    });
  const there = await step(`${loom.url}/auth/login/github`);
  expect(there.headers["set-cookie"]).toEqual([
    expect.stringMatching(/^__Host-loom_sign_in=[\w-]{43}; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax; Secure$/),
  ]);
  const back = await browser.open(String(there.headers.location), { follow: false });
  expect(String(back.headers.location)).toMatch(/^https:\/\/loom\.example\.com\/auth\/callback\/github\?/);
  const signedIn = await step(String(back.headers.location));
  expect(signedIn.headers["set-cookie"]).toEqual([
    expect.stringMatching(/^__Host-loom_session=ls_[\w-]{43}; Max-Age=\d+; Path=\/; HttpOnly; SameSite=Lax; Secure$/),
    expect.stringMatching(/^__Host-loom_sign_in=; Max-Age=0;/),
    expect.stringMatching(/^__Host-loom_second_factor=; Max-Age=0;/),
    expect.stringMatching(/^__Host-loom_own_session=; Max-Age=0;/),
  ]);
  expect((await step(`${loom.url}/api/sessions`)).status).toBe(200);
  expect(
    (await step(`${loom.url}/api/sessions`, { method: "DELETE", headers: { origin: `https://${host}` } })).status,
  ).toBe(200);
  expect(
    (await step(`${loom.url}/api/sessions`, { method: "DELETE", headers: { origin: `http://${host}` } })).status,
  ).toBe(403);
  // One that a neighbouring host could plant means nothing here.
  const token = browser.jar("127.0.0.1").get("__Host-loom_session");
  const plain = new TestBrowser({ cookie: `loom_session=${token}` });
  expect((await plain.open(`${loom.url}/api/sessions`, { headers: { host } })).status).toBe(401);
});
