import { describe, expect, test } from "vitest";
import { engines } from "../../kit/engines.testing.ts";
import { TestBrowser } from "./browser.testing.ts";
import { startSignInServer } from "./sign-in.testing.ts";

describe.each(engines)("on $name", { timeout: 120_000 }, (engine) => {
  const ENV = { LOOM_SERVER_DEV_USER: "ada@example.com" };

  test("in development everybody on this machine is the user that was named, without being asked", async () => {
    await using home = await engine.create();
    await using loom = await startSignInServer(home, ENV);
    const browser = new TestBrowser();
    const page = await browser.open(`${loom.url}/`);
    expect(page.url).toBe(`${loom.url}/auth/account`);
    expect(page.text).toContain("ada@example.com");
    // After signing out there is a page with a button, and nobody is signed in behind somebody's back.
    const out = await browser.submit(`${loom.url}/auth/sign-out`);
    expect(out.text).toContain("Continue as ada@example.com");
    const throughProxy = new TestBrowser({ "x-forwarded-for": "192.0.2.1" });
    expect((await throughProxy.open(`${loom.url}/auth/development`)).status).toBe(403);
  });

  test.each([
    [{ LOOM_SERVER_PUBLIC_URL: "https://loom.example.com" }, /LOOM_SERVER_PUBLIC_URL is set/],
    [{ LOOM_SERVER_TRUSTED_PROXIES: "127.0.0.0/8" }, /LOOM_SERVER_TRUSTED_PROXIES names this machine/],
  ])("it is refused where others may reach the server: %o", async (env, sentence) => {
    await using home = await engine.create();
    await expect(startSignInServer(home, { ...ENV, ...env })).rejects.toThrow(sentence);
  });

  test("it is refused on a server that listens wider", async () => {
    await using home = await engine.create();
    const listen = { host: "0.0.0.0", port: 0 };
    await expect(startSignInServer(home, ENV, { listen })).rejects.toThrow(/this one listens on 0\.0\.0\.0/);
  });

  test("without it, nobody is let in that way", async () => {
    await using home = await engine.create();
    await using loom = await startSignInServer(home, {});
    expect((await new TestBrowser().open(`${loom.url}/auth/development`)).status).toBe(404);
    expect((await new TestBrowser().open(`${loom.url}/`)).text).toContain("Nobody can sign in here yet");
  });

  test("people do not sign in at a public address without https", async () => {
    await using home = await engine.create();
    const env = {
      LOOM_SERVER_PUBLIC_URL: "http://loom.example.com",
      LOOM_SERVER_GITHUB_CLIENT_ID: "x",
      LOOM_SERVER_GITHUB_CLIENT_SECRET: "y",
    };
    await expect(startSignInServer(home, env)).rejects.toThrow(/https only/);
  });
});
