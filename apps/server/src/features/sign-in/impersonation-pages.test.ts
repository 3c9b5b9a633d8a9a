// An administrator acts in somebody's place in a real browser, and is himself again afterwards.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openDatabase } from "../../kit/database.ts";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import { DATABASE_FILE } from "../../server.ts";
import { MIGRATIONS } from "../migrations.ts";
import type { SessionTables } from "../sessions/migrations.ts";
import { directoryInbox, signInByMail } from "./by-mail.testing.ts";
import { type SignInServer, startSignInServer } from "./sign-in.testing.ts";

const CHROMIUM = "/usr/bin/chromium";
const PATIENT = { timeout: 240_000 };
const REASON = "to see the page as he does";

describe.skipIf(!existsSync(CHROMIUM))("with Chromium", PATIENT, () => {
  let browser: Browser;
  beforeAll(async () => {
    const args = ["--no-sandbox", "--disable-gpu"];
    browser = await chromium.launch({ executablePath: CHROMIUM, args, timeout: 200_000 });
  }, PATIENT.timeout);
  afterAll(async () => {
    await browser.close();
  });

  describe.each(engines)("on $name", (engine) => {
    let home: TestHome;
    let server: SignInServer;
    let context: BrowserContext;
    let page: Page;

    beforeEach(async () => {
      home = await engine.create();
      const mail = join(home.path, "mail");
      server = await startSignInServer(home, {
        LOOM_SERVER_DEV_USER: "ada@example.com",
        LOOM_SERVER_MAIL_DIRECTORY: mail,
      });
      context = await browser.newContext();
      context.setDefaultTimeout(120_000);
      page = await context.newPage();
      // The first, and so a system admin.
      await page.goto(at("/auth/development"));
      await signInByMail(server.url, directoryInbox(mail), "bob@example.com");
    }, PATIENT.timeout);
    afterEach(async () => {
      await context.close();
      await server[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    });

    const at = (path: string): string => server.url + path;
    const session = async (): Promise<string | undefined> =>
      (await context.cookies()).find(({ name }) => name === "loom_session")?.value;
    const whoami = async (): Promise<unknown> => (await context.request.get(at("/api/whoami"))).json();
    const banner = () => page.getByRole("status");

    async function actAsBob(): Promise<void> {
      await page.goto(at("/auth/account"));
      await page.getByRole("link", { name: "Act in somebody else's place" }).click();
      await page.getByLabel("The username of the person").fill("bob");
      await page.getByRole("button", { name: "Continue" }).click();
      await page.getByLabel("Why?").fill(REASON);
      await page.getByRole("button", { name: "Act as bob" }).click();
      await page.waitForURL(at("/auth/account"));
    }

    async function events(event: string): Promise<unknown> {
      return ((await server.call("GET", `/api/admin/audit?event=${event}`)).json as { events: unknown }).events;
    }

    test("every page says so until it is ended, and then the browser is in its own session again", async () => {
      const own = await session();
      await actAsBob();
      expect(await session()).not.toBe(own);
      expect(await whoami()).toMatchObject({ name: "bob", impersonator: "ada" });
      for (const path of ["/auth/account", "/device", "/auth/sign-in"]) {
        await page.goto(at(path));
        expect(await banner().textContent()).toContain("ada acts in the place of bob.");
      }
      // What lets somebody in is not his, and nobody acts in a third one's place.
      expect((await context.request.get(at("/api/keys"))).status()).toBe(403);
      expect((await context.request.get(at("/auth/impersonation/bob"))).status()).toBe(403);
      await banner().getByRole("button", { name: "End it" }).click();
      await page.waitForURL(at("/auth/account"));
      expect(await session()).toBe(own);
      expect(await whoami()).toMatchObject({ name: "ada" });
      expect(await banner().count()).toBe(0);
      expect((await context.cookies()).map(({ name }) => name)).toEqual(["loom_session"]);
      expect(await events("impersonation.started")).toMatchObject([
        { actor: { name: "ada" }, target: { name: "bob" }, details: { reason: REASON } },
      ]);
      expect(await events("impersonation.ended")).toMatchObject([
        { actor: { name: "bob" }, impersonator: { name: "ada" }, target: { name: "bob" } },
      ]);
    });

    test("when its time is over the browser is in its own session again; signing out ends both", async () => {
      const own = await session();
      await actAsBob();
      const place = "postgres" in home.place ? home.place : { file: join(home.path, "server", DATABASE_FILE) };
      const database = await openDatabase({ ...place, migrations: MIGRATIONS });
      const over = new Date(Date.now() - 1_000).toISOString();
      await database.write<SessionTables, unknown>((db) =>
        db.updateTable("session").set({ expires_at: over }).where("impersonator_id", "is not", null).execute(),
      );
      await database.close();
      // What the server remembers of a session it asks for again after four seconds.
      await expect
        .poll(async () => (await context.request.get(at("/api/sessions"))).status(), { timeout: 20_000 })
        .toBe(401);
      await page.goto(at("/auth/account"));
      expect(await session()).toBe(own);
      await actAsBob();
      const acting = await session();
      await page.getByRole("button", { name: "Sign out", exact: true }).first().click();
      await page.waitForURL(at("/auth/sign-in"));
      expect(await context.cookies()).toEqual([]);
      for (const token of [own, acting]) {
        const answer = await fetch(at("/api/whoami"), { headers: { cookie: `loom_session=${token}` } });
        expect(answer.status).toBe(401);
      }
    });

    test("another site's page neither begins nor ends it, and who is no system admin cannot", async () => {
      const foreign = { origin: "https://evil.example", "content-type": "application/x-www-form-urlencoded" };
      const begin = (headers: Record<string, string>, data = `reason=${encodeURIComponent(REASON)}&minutes=5`) =>
        context.request.post(at("/auth/impersonation/bob"), { headers, data, maxRedirects: 0 });
      expect((await begin(foreign)).status()).toBe(403);
      const ours = { ...foreign, origin: server.url };
      expect((await begin(ours, "reason=short&minutes=5")).status()).toBe(400);
      expect((await begin(ours, `reason=${encodeURIComponent(REASON)}&minutes=61`)).status()).toBe(400);
      expect(await events("impersonation.started")).toEqual([]);
      await actAsBob();
      const ended = await context.request.post(at("/auth/end-impersonation"), { headers: foreign, data: "" });
      expect(ended.status()).toBe(403);
      expect(await whoami()).toMatchObject({ name: "bob" });
      const bob = (
        await context.request.post(at("/auth/impersonation/ada"), { headers: ours, data: "", maxRedirects: 0 })
      ).status();
      expect(bob).toBe(403);
      const asBob = await context.request.get(at("/auth/impersonation?user=ada"));
      expect([asBob.status(), await asBob.text()]).toEqual([403, expect.stringContaining("Only a system admin")]);
    });
  });
});
