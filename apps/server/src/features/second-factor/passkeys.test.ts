// Passkeys in a real browser, with an authenticator that Chromium plays (WebDriver's virtual authenticator, by CDP).
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openDatabase } from "../../kit/database.ts";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import { DATABASE_FILE } from "../../server.ts";
import { MIGRATIONS } from "../migrations.ts";
import type { SessionTables } from "../sessions/migrations.ts";
import { type SignInServer, startSignInServer } from "../sign-in/sign-in.testing.ts";
import { readQrCode } from "./qr-reader.testing.ts";

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

    /** As if everybody had signed in a while ago. */
    async function passTime(): Promise<void> {
      const { path, place } = home;
      const opened = "postgres" in place ? place : { file: join(path, "server", DATABASE_FILE) };
      const database = await openDatabase({ ...opened, migrations: MIGRATIONS });
      const proven_at = new Date(Date.now() - 16 * 60_000).toISOString();
      await database.write<SessionTables, unknown>((db) => db.updateTable("session").set({ proven_at }).execute());
      await database.close();
    }

    test("who has been signed in for a while shows by a passkey that it is still him; what it has signed is of no use again", async () => {
      await addPasskey();
      await passTime();
      await page.getByRole("button", { name: "Make new ones" }).click();
      await page.getByRole("heading", { name: "Is it still you?" }).waitFor();
      const asked = page.waitForRequest(at("/auth/passkey/again"));
      await page.getByRole("button", { name: "Use a passkey" }).click();
      const answer = (await asked).postDataJSON() as { readonly response: unknown };
      await page.waitForURL(at("/auth/factors"));
      await page.getByRole("button", { name: "Make new ones" }).click();
      await page.getByRole("heading", { name: "Recovery codes" }).waitFor();
      await passTime();
      expect((await post("/auth/passkey/again", answer)).status()).toBe(403);
      // What was asked for one purpose is of no use for the other.
      const options = await (await post("/auth/passkey/again-options", {})).json();
      await page.goto(at("/auth/factors/again"));
      const response: unknown = await page.evaluate(`(async () => {
        const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(${JSON.stringify(options)});
        return (await navigator.credentials.get({ publicKey })).toJSON();
      })()`);
      await context.request.get(at("/auth/development"));
      expect((await post("/auth/passkey/give", { response })).status()).toBe(403);
      expect((await post("/auth/passkey/again", { response })).status()).toBe(401);
    });

    test("a passkey is not added by who has been signed in for a while: he is asked for the one that he has", async () => {
      await addPasskey();
      await passTime();
      await page.getByRole("button", { name: "Add a passkey" }).click();
      await page.waitForURL(at("/auth/factors/again"));
      await page.getByRole("heading", { name: "Is it still you?" }).waitFor();
    });

    test("the page of a new app shows its key to a camera", async () => {
      await page.goto(at("/auth/development"));
      await page.goto(at("/auth/factors"));
      await page.getByRole("button", { name: "Add", exact: true }).click();
      await page.getByRole("img", { name: "The key for your app" }).waitFor();
      // As the browser draws it: words of browsers, which the rest of this program does not know.
      const { size, pixels } = (await page.evaluate(`(async () => {
        const svg = document.querySelector("svg.qr");
        const copy = svg.cloneNode(true);
        copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
        const size = 400;
        copy.setAttribute("width", size);
        copy.setAttribute("height", size);
        const image = new Image();
        image.src = "data:image/svg+xml," + encodeURIComponent(copy.outerHTML);
        await image.decode();
        const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
        const context = canvas.getContext("2d");
        context.drawImage(image, 0, 0);
        return { size, pixels: [...context.getImageData(0, 0, size, size).data] };
      })()`)) as { readonly size: number; readonly pixels: readonly number[] };
      const read = readQrCode(Uint8ClampedArray.from(pixels), size) ?? expect.fail("Nothing can be read.");
      expect(read).toBe(await page.getByRole("link", { name: "open it in the app" }).getAttribute("href"));
      expect(read).toMatch(/^otpauth:\/\/totp\/Loom:ada\?/);
      const { width } = (await page.locator("svg.qr").boundingBox()) ?? expect.fail("It is not to be seen.");
      expect(width).toBeGreaterThan(150);
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
