// A person's app, as far as tests need one.
import { TOTP } from "otpauth";
import { expect } from "vitest";
import type { TestBrowser } from "../sign-in/browser.testing.ts";

export type TestApp = { readonly id: string; readonly secret: string; readonly recoveryCodes: readonly string[] };

/** Adds an app that shows codes to the account that a browser is signed in to. */
export async function addApp(url: string, browser: TestBrowser): Promise<TestApp> {
  const shown = await browser.submit(`${url}/auth/factors/totp`, { name: "Phone" });
  const secret =
    /<p class="code">([A-Z2-7 ]+)<\/p>/.exec(shown.text)?.[1]?.replaceAll(" ", "") ?? expect.fail(shown.text);
  const id = /name="id" value="([^"]+)"/.exec(shown.text)?.[1] ?? "";
  const code = new TOTP({ secret }).generate();
  const confirmed = await browser.submit(`${url}/auth/factors/totp/confirm`, { id, code });
  return { id, secret, recoveryCodes: /<pre>([^<]+)<\/pre>/.exec(confirmed.text)?.[1]?.split("\n") ?? [] };
}
