import { describe, expect, test } from "vitest";
import { engines } from "../../kit/engines.testing.ts";
import { TestBrowser } from "./browser.testing.ts";
import { startForgingProvider } from "./forging-provider.testing.ts";
import { startSignInServer } from "./sign-in.testing.ts";

describe.each(engines)("on $name", { timeout: 120_000 }, (engine) => {
  const ENV = {
    LOOM_SERVER_OIDC_OKTA_CLIENT_ID: "loom",
    LOOM_SERVER_OIDC_OKTA_CLIENT_SECRET: "secret",
    LOOM_SERVER_TRUSTED_PROXIES: "127.0.0.1",
  };

  test("one address may begin so often and no more, whatever it says of itself; others are not in its way", async () => {
    await using okta = await startForgingProvider("loom");
    await using home = await engine.create();
    await using loom = await startSignInServer(home, { ...ENV, LOOM_SERVER_OIDC_OKTA_ISSUER: okta.issuer });
    const begin = (forwarded: string) =>
      new TestBrowser({ "x-forwarded-for": forwarded }).open(`${loom.url}/auth/login/okta`, { follow: false });
    for (let count = 0; count < 300; count += 1)
      expect((await begin(`10.9.9.${count % 250}, 192.0.2.1`)).status).toBe(303);
    const refused = await begin("10.9.9.1, 192.0.2.1");
    expect(refused.status).toBe(429);
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
    expect(refused.text).toContain("too many attempts");
    expect((await begin("192.0.2.2")).status).toBe(303);
  });

  test("one account may sign in so often and no more, from wherever", async () => {
    await using okta = await startForgingProvider("loom");
    await using home = await engine.create();
    await using loom = await startSignInServer(home, { ...ENV, LOOM_SERVER_OIDC_OKTA_ISSUER: okta.issuer });
    const signIn = (at: number) =>
      new TestBrowser({ "x-forwarded-for": `192.0.2.${at}` }).open(`${loom.url}/auth/login/okta`, { follow: true });
    for (let count = 0; count < 20; count += 1) expect((await signIn(count)).status).toBe(200);
    expect((await signIn(21)).status).toBe(429);
    okta.person = () => ({ sub: "bob", email: "bob@example.com", email_verified: true });
    expect((await signIn(22)).status).toBe(200);
  });
});
