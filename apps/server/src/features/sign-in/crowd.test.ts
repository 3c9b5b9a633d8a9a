import { Agent } from "node:http";
import { expect, test } from "vitest";
import { engines } from "../../kit/engines.testing.ts";
import { TestBrowser } from "./browser.testing.ts";
import { startForgingProvider } from "./forging-provider.testing.ts";
import { startSignInServer } from "./sign-in.testing.ts";

/** `LOOM_CROWD=1000` for the number that is promised; it takes a minute on a machine with nothing else to do. */
const CROWD = Number(process.env.LOOM_CROWD ?? 200);

// On SQLite, one process writes at a time: there, a crowd of this size proves nothing more than a long wait.
test.each(engines.filter(({ name }) => name === "PostgreSQL"))(
  "a crowd that signs in at the same moment gets in, each as himself, on $name",
  { timeout: 600_000 },
  async (engine) => {
    await using home = await engine.create();
    await using okta = await startForgingProvider("loom");
    let people = 0;
    okta.forgery = {
      claims: (claims) => {
        people += 1;
        return { ...claims, sub: `person-${people}`, email: `person-${people}@example.com`, email_verified: true };
      },
    };
    await using loom = await startSignInServer(home, {
      LOOM_SERVER_OIDC_OKTA_ISSUER: okta.issuer,
      LOOM_SERVER_OIDC_OKTA_CLIENT_ID: "loom",
      LOOM_SERVER_OIDC_OKTA_CLIENT_SECRET: "secret",
      LOOM_SERVER_TRUSTED_PROXIES: "127.0.0.1",
    });
    // A proxy in front of the server keeps so many connections, and the crowd waits in it.
    const agent = new Agent({ keepAlive: true, maxSockets: 250 });
    const browsers = Array.from(
      { length: CROWD },
      (_, at) => new TestBrowser({ "x-forwarded-for": `198.18.${at >> 8}.${at & 255}` }, { agent }),
    );
    const pages = await Promise.all(browsers.map((each) => each.open(`${loom.url}/auth/login/okta`)));
    expect(pages.filter(({ status }) => status !== 200).map(({ status, text }) => [status, text])).toEqual([]);
    const names = new Set(pages.map(({ text }) => /signed in as <strong>(\w+)</.exec(text)?.[1]));
    expect([names.size, names.has(undefined)]).toEqual([CROWD, false]);
    const tokens = new Set(browsers.map((each) => each.jar("127.0.0.1").get("loom_session")));
    expect(tokens.size).toBe(CROWD);
    agent.destroy();
  },
);
