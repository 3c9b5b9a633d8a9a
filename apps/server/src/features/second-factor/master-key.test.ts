// A server whose master key is gone: people are told so, on pages and by no "internal error".
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { TOTP } from "otpauth";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import { TestBrowser } from "../sign-in/browser.testing.ts";
import { type SignInServer, startSignInServer } from "../sign-in/sign-in.testing.ts";
import { addApp } from "./factor.testing.ts";

describe.each(engines)("on $name", { timeout: 60_000 }, (engine) => {
  let home: TestHome;
  let server: SignInServer;
  let ada: TestBrowser;

  beforeEach(async () => {
    home = await engine.create();
    server = await startSignInServer(home, { LOOM_SERVER_DEV_USER: "ada@example.com" });
    ada = new TestBrowser();
    await ada.open(`${server.url}/auth/development`);
  });
  afterEach(async () => {
    await server[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  test("without the master key a page says what is missing, and a recovery code still lets in", async () => {
    const { secret, recoveryCodes } = await addApp(server.url, ada);
    await rm(join(home.path, "server", "master-key"));
    const missing = { status: 503, text: expect.stringContaining("LOOM_SERVER_MASTER_KEY_FILE") };
    const added = await ada.submit(`${server.url}/auth/factors/totp`, { name: "Other phone" });
    expect(added).toMatchObject(missing);
    expect(added.text).not.toContain(home.path);
    const other = new TestBrowser();
    await other.open(`${server.url}/auth/development`);
    const code = new TOTP({ secret }).generate({ timestamp: Date.now() + 30_000 });
    expect(await other.submit(`${server.url}/auth/second-factor`, { code })).toMatchObject(missing);
    expect(await ada.submit(`${server.url}/auth/factors/again`, { code })).toMatchObject(missing);
    const inside = await other.submit(`${server.url}/auth/second-factor`, { code: recoveryCodes[0] ?? "" });
    expect([inside.status, inside.url]).toEqual([200, `${server.url}/auth/account`]);
  });
});
