// Passkeys in a real browser, with an authenticator that Chromium plays (WebDriver's virtual authenticator, by CDP).
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import { type SignInServer, startSignInServer } from "../sign-in/sign-in.testing.ts";

const CHROMIUM = "/usr/bin/chromium";
const PATIENT = { timeout: 240_000 };

describe.skipIf(!existsSync(CHROMIUM))("with Chromium", PATIENT, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ["--no-sandbox", "--disable-gpu"],
      timeout: 200_000,
    });
  }, PATIENT.timeout);
  afterAll(async () => {
    await browser.close();
  });

  describe.each(engines)("on $name", (engine) => {
    let home: TestHome;
    let server: SignInServer;
    let context: BrowserContext;
    let page: Page;
    /** Passkeys are bound to a name: an address of numbers has none. */
    let origin: string;

    beforeEach(async () => {
      home = await engine.create();
      server = await startSignInServer(home, { LOOM_SERVER_DEV_USER: "ada@example.com" });
      origin = server.url.replace("127.0.0.1", "localhost");
      context = await browser.newContext();
      context.setDefaultTimeout(120_000);
      page = await context.newPage();
      const devtools = await context.newCDPSession(page);
      await devtools.send("WebAuthn.enable");
      await devtools.send("WebAuthn.addVirtualAuthenticator", {
        options: { protocol: "ctap2", transport: "usb", hasUserVerification: true, isUserVerified: true },
      });
    }, PATIENT.timeout);
    afterEach(async () => {
      await context.close();
      await server[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    });

    const at = (path: string): string => origin + path;

    async function addPasskey(): Promise<void> {
      await page.goto(at("/auth/development"));
      await page.goto(at("/auth/factors"));
      await page.getByRole("button", { name: "Add a passkey" }).click();
      await page.getByRole("cell", { name: "Passkey" }).waitFor();
    }

    /** To the page that asks for the second factor. */
    async function arrive(): Promise<void> {
      await page.goto(at("/auth/account"));
      await page.getByRole("button", { name: "Sign out", exact: true }).first().click();
      await page.goto(at("/auth/development"));
      expect(new URL(page.url()).pathname).toBe("/auth/second-factor");
    }

    /** What the script says to the server, kept on the way. */
    async function signed(): Promise<{ readonly response: unknown }> {
      const asked = page.waitForRequest(at("/auth/passkey/give"));
      await page.getByRole("button", { name: "Use a passkey" }).click();
      return (await asked).postDataJSON() as { readonly response: unknown };
    }

    const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
      context.request.post(at(path), { data: body, headers: { origin, ...headers } });

    test("a passkey is added, asked for, and signs its person in; what it has signed is of no use again", async () => {
      await addPasskey();
      await arrive();
      expect((await context.request.get(at("/api/sessions"))).status()).toBe(401);
      const answer = await signed();
      await page.waitForURL(at("/auth/account"));
      const { factors } = (await (await context.request.get(at("/api/factors"))).json()) as { factors: unknown[] };
      expect(factors).toMatchObject([{ type: "passkey", name: "Passkey" }]);
      // The same answer for another sign-in of the same person: its challenge is spent, and was not this one's.
      await arrive();
      const replayed = await post("/auth/passkey/give", answer);
      expect(replayed.status()).toBe(403);
      expect((await context.request.get(at("/api/sessions"))).status()).toBe(401);
    });

    test("what was signed elsewhere, or for somebody else, does not count", async () => {
      await addPasskey();
      await arrive();
      await page.route(at("/auth/passkey/give"), (route) => route.abort());
      // Each with a challenge of its own: what was looked at once is spent.
      const forgeries: readonly ((honest: Assertion) => unknown)[] = [
        (honest) => withData(honest, { type: "webauthn.create" }),
        (honest) => withData(honest, { challenge: "AAAA" }),
        (honest) => {
          const data = Buffer.from(honest.response.authenticatorData, "base64url");
          data[0] = (data[0] ?? 0) ^ 1;
          return { ...honest, response: { ...honest.response, authenticatorData: data.toString("base64url") } };
        },
        (honest) => ({ ...honest, id: "AAAA", rawId: "AAAA" }),
      ];
      for (const forge of forgeries) {
        const { response } = await signed();
        const answer = await post("/auth/passkey/give", { response: forge(response as Assertion) });
        expect(answer.status()).toBe(403);
      }
      const { response: honest } = await signed();
      expect((await post("/auth/passkey/give", { response: {} })).status()).toBe(400);
      const foreign = await post("/auth/passkey/give", { response: honest }, { origin: "https://evil.example" });
      expect(foreign.status()).toBe(403);
      // In a browser that nobody waits in.
      const other = await browser.newContext();
      const there = await other.request.post(at("/auth/passkey/give"), {
        data: { response: honest },
        headers: { origin },
      });
      expect(there.status()).toBe(403);
      await other.close();
      expect((await context.request.get(at("/api/sessions"))).status()).toBe(401);
    });

    test("what another site on the same host had signed does not count, though the signature is right", async () => {
      await addPasskey();
      await arrive();
      const elsewhere = createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<p>Hello</p>"));
      await new Promise<void>((resolve) => elsewhere.listen(0, "localhost", resolve));
      const options = await (await post("/auth/passkey/options", {})).json();
      await page.goto(`http://localhost:${(elsewhere.address() as AddressInfo).port}/`);
      // As text: these are words of browsers, which the rest of this program does not know.
      const response: unknown = await page.evaluate(`(async () => {
        const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(${JSON.stringify(options)});
        return (await navigator.credentials.get({ publicKey })).toJSON();
      })()`);
      expect(response).toMatchObject({ type: "public-key" });
      expect((await post("/auth/passkey/give", { response })).status()).toBe(403);
      expect((await context.request.get(at("/api/sessions"))).status()).toBe(401);
      elsewhere.close();
      elsewhere.closeAllConnections();
    });

    test("the pages with a script hold it to ours", async () => {
      await addPasskey();
      const answer = await context.request.get(at("/auth/factors"));
      const policy = answer.headers()["content-security-policy"];
      expect(policy).toContain("script-src 'self'");
      expect(policy).toContain("default-src 'none'");
      expect(await answer.text()).not.toMatch(/<script(?! src="\/auth\/passkey\.js" defer><\/script>)/);
      const account = await context.request.get(at("/auth/account"));
      expect(account.headers()["content-security-policy"]).not.toContain("script-src");
    });
  });
});

type Assertion = {
  readonly id: string;
  readonly response: { readonly clientDataJSON: string; readonly authenticatorData: string };
};

function withData(honest: Assertion, change: object): unknown {
  const said = JSON.parse(Buffer.from(honest.response.clientDataJSON, "base64url").toString()) as object;
  const clientDataJSON = Buffer.from(JSON.stringify({ ...said, ...change })).toString("base64url");
  return { ...honest, response: { ...honest.response, clientDataJSON } };
}
