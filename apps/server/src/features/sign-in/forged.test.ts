import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import { TestBrowser } from "./browser.testing.ts";
import { type Forgery, type ForgingProvider, signed, startForgingProvider } from "./forging-provider.testing.ts";
import { type SignInServer, startSignInServer } from "./sign-in.testing.ts";

describe.each(engines)("on $name", { timeout: 120_000 }, (engine) => {
  let home: TestHome;
  let okta: ForgingProvider;
  let other: ForgingProvider;
  let loom: SignInServer;

  beforeAll(async () => {
    home = await engine.create();
    [okta, other] = await Promise.all([startForgingProvider("loom"), startForgingProvider("loom")]);
    loom = await startSignInServer(home, {
      LOOM_SERVER_OIDC_OKTA_ISSUER: okta.issuer,
      LOOM_SERVER_OIDC_OKTA_CLIENT_ID: "loom",
      LOOM_SERVER_OIDC_OKTA_CLIENT_SECRET: "secret",
      LOOM_SERVER_OIDC_OTHER_ISSUER: other.issuer,
      LOOM_SERVER_OIDC_OTHER_CLIENT_ID: "loom",
      LOOM_SERVER_OIDC_OTHER_CLIENT_SECRET: "secret",
    });
  });

  afterAll(async () => {
    await loom[Symbol.asyncDispose]();
    await okta[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  async function signIn(forgery: Forgery, browser = new TestBrowser()) {
    okta.forgery = forgery;
    const page = await browser.open(`${loom.url}/auth/login/okta`);
    return { page, browser, hasSession: browser.jar("127.0.0.1").has("loom_session") };
  }

  const unsigned = (header: object, claims: object): string =>
    [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");

  test("what is right is let in: else nothing below would prove anything", async () => {
    expect((await signIn({})).page.status).toBe(200);
  });

  describe("an ID token is refused that", () => {
    test.each<[string, RegExp, Forgery]>([
      ["another issuer has made", /COMPARISON/, { claims: (claims) => ({ ...claims, iss: "https://evil.example" }) }],
      ["names no issuer", /INVALID_RESPONSE/, { claims: ({ iss: _, ...claims }) => claims }],
      ["is for another application", /COMPARISON/, { claims: (claims) => ({ ...claims, aud: "other" }) }],
      [
        "is for several, of which another asked for it",
        /COMPARISON/,
        { claims: (claims) => ({ ...claims, aud: ["loom", "other"], azp: "other" }) },
      ],
      ["is for nobody", /INVALID_RESPONSE/, { claims: ({ aud: _, ...claims }) => claims }],
      ["has expired", /TIMESTAMP/, { claims: (claims) => ({ ...claims, exp: 1_000_000_000 }) }],
      ["never expires", /INVALID_RESPONSE/, { claims: ({ exp: _, ...claims }) => claims }],
      ["holds from tomorrow on", /TIMESTAMP/, { claims: (claims) => ({ ...claims, nbf: (claims.exp ?? 0) + 86_400 }) }],
      ["answers another question", /COMPARISON/, { claims: (claims) => ({ ...claims, nonce: "another" }) }],
      ["answers no question", /INVALID_RESPONSE/, { claims: ({ nonce: _, ...claims }) => claims }],
      ["is about nobody", /INVALID_RESPONSE/, { claims: ({ sub: _, ...claims }) => claims }],
      ["nobody has signed", /UNSUPPORTED/, { sign: (claims) => `${unsigned({ alg: "none", kid: "one" }, claims)}.` }],
      [
        "is signed with the public key as if it were a secret",
        /UNSUPPORTED/,
        {
          sign: (claims, { publicPem }) => {
            const content = unsigned({ alg: "HS256", kid: "one" }, claims);
            return `${content}.${createHmac("sha256", publicPem).update(content).digest("base64url")}`;
          },
        },
      ],
      [
        "is signed with the client's secret",
        /UNSUPPORTED/,
        {
          sign: (claims) => {
            const content = unsigned({ alg: "HS256" }, claims);
            return `${content}.${createHmac("sha256", "secret").update(content).digest("base64url")}`;
          },
        },
      ],
      [
        "a key has signed that the provider does not know",
        /KEY/,
        { sign: (claims, { own }) => signed(claims, own, "two") },
      ],
      ["another key has signed", /INVALID_RESPONSE/, { sign: (claims, { foreign }) => signed(claims, foreign) }],
      [
        "was changed behind the signature",
        /INVALID_RESPONSE/,
        {
          sign: async (claims, { own }) => {
            const [header, , signature] = (await signed(claims, own)).split(".");
            const payload = Buffer.from(JSON.stringify({ ...claims, sub: "eve" })).toString("base64url");
            return [header, payload, signature].join(".");
          },
        },
      ],
      ["is none", /INVALID_RESPONSE|PARSE/, { sign: () => "nonsense" }],
      ["is not there", /INVALID_RESPONSE/, { tokens: ({ id_token: _, ...document }) => document }],
    ])("%s", async (_, reason, forgery) => {
      const { page, hasSession } = await signIn(forgery);
      expect([page.status, hasSession]).toEqual([502, false]);
      expect(page.text).toMatch(reason);
      expect(page.text).not.toMatch(/ {4}at |node_modules/);
    });
  });

  describe("an answer is refused", () => {
    test.each<[string, number, RegExp, Forgery]>([
      ["with another state", 400, /begin again/, { answer: (query) => query.set("state", "A".repeat(43)) }],
      ["without a state", 400, /begin again/, { answer: (query) => query.delete("state") }],
      ["with two states", 400, /begin again/, { answer: (query) => query.append("state", "A".repeat(43)) }],
      ["of another issuer", 502, /INVALID_RESPONSE/, { answer: (query) => query.set("iss", other.issuer) }],
      ["that does not name its issuer", 502, /INVALID_RESPONSE/, { answer: (query) => query.delete("iss") }],
      ["without a code", 502, /./, { answer: (query) => query.delete("code") }],
      ["with two codes", 502, /./, { answer: (query) => query.append("code", "two") }],
      [
        "that is an error, and its words are not repeated",
        502,
        /server_error/,
        {
          answer: (query) => {
            query.delete("code");
            query.set("error", "server_error");
            query.set("error_description", "<b>evil words</b>");
          },
        },
      ],
      [
        "where the address is another person's",
        502,
        /./,
        {
          claims: ({ email: _, ...claims }) => claims,
          userinfo: () => ({ sub: "eve", email: "eve@example.com", email_verified: true }),
        },
      ],
      [
        "that leads elsewhere",
        502,
        /./,
        { tokenAnswer: (response) => void response.writeHead(307, { location: `${other.issuer}/token` }).end() },
      ],
      [
        "without an end",
        502,
        /answer_too_large/,
        {
          tokenAnswer(response) {
            response.writeHead(200, { "content-type": "application/json" });
            for (let part = 0; part < 40; part += 1) response.write(" ".repeat(64 * 1024));
            response.end("{}");
          },
        },
      ],
    ])("%s", async (_, status, text, forgery) => {
      const { page, hasSession } = await signIn(forgery);
      expect([page.status, hasSession]).toEqual([status, false]);
      expect(page.text).toMatch(text);
      expect(page.text).not.toContain("evil words");
      expect(other.tokensAsked).toBe(0);
    });
  });

  describe("an answer is good", () => {
    /** Comes back from the provider, and stops in front of Loom's door. */
    async function atTheDoor(browser: TestBrowser): Promise<string> {
      okta.forgery = {};
      const there = await browser.open(`${loom.url}/auth/login/okta`, { follow: false });
      const back = await browser.open(String(there.headers.location), { follow: false });
      return String(back.headers.location);
    }

    test("once", async () => {
      const browser = new TestBrowser();
      const callback = await atTheDoor(browser);
      const cookies = new Map(browser.jar("127.0.0.1"));
      expect((await browser.open(callback)).status).toBe(200);
      const thief = new TestBrowser();
      for (const [name, value] of cookies) thief.jar("127.0.0.1").set(name, value);
      const asked = okta.tokensAsked;
      expect((await thief.open(callback)).status).toBe(400);
      expect(okta.tokensAsked).toBe(asked);
    });

    test("once, also when it comes twice at the same moment", async () => {
      const browser = new TestBrowser();
      const callback = await atTheDoor(browser);
      const pages = await Promise.all([1, 2, 3].map(() => browser.open(callback, { follow: false })));
      expect(pages.map(({ status }) => status).sort()).toEqual([303, 400, 400]);
    });

    test("in the browser that asked, and in no other", async () => {
      const callback = await atTheDoor(new TestBrowser());
      const victim = new TestBrowser();
      expect((await victim.open(callback)).status).toBe(400);
      // Also not in one that is on its own way.
      await victim.open(`${loom.url}/auth/login/okta`, { follow: false });
      expect((await victim.open(callback)).status).toBe(400);
      expect(victim.jar("127.0.0.1").has("loom_session")).toBe(false);
    });

    test("at the door of the provider that was asked, and at no other's", async () => {
      const browser = new TestBrowser();
      const callback = await atTheDoor(browser);
      expect((await browser.open(callback.replace("/callback/okta", "/callback/other"))).status).toBe(400);
      expect(other.tokensAsked).toBe(0);
    });

    test("in a second window of the same browser, too", async () => {
      const browser = new TestBrowser();
      const [one, two] = [await atTheDoor(browser), await atTheDoor(browser)];
      expect((await browser.open(two, { follow: false })).status).toBe(303);
      expect((await browser.open(one, { follow: false })).status).toBe(400);
    });
  });

  describe("a provider is not asked that says of itself", () => {
    test.each<[string, RegExp, NonNullable<Forgery["discovery"]>]>([
      ["that it is another", /COMPARISON|INVALID/, (document) => ({ ...document, issuer: "https://evil.example" })],
      [
        "that its door is where others can listen",
        /not_https/,
        (document) => ({ ...document, authorization_endpoint: "http://evil.example/authorize" }),
      ],
      [
        "that its door is no address of the web",
        /./,
        (document) => ({ ...document, authorization_endpoint: "javascript:alert(1)" }),
      ],
    ])("%s", async (_, reason, discovery) => {
      await using liar = await startForgingProvider("loom");
      liar.forgery = { discovery };
      await using place = await engine.create();
      await using server = await startSignInServer(place, {
        LOOM_SERVER_OIDC_LIAR_ISSUER: liar.issuer,
        LOOM_SERVER_OIDC_LIAR_CLIENT_ID: "loom",
        LOOM_SERVER_OIDC_LIAR_CLIENT_SECRET: "secret",
      });
      const page = await new TestBrowser().open(`${server.url}/auth/login/liar`, { follow: false });
      expect([page.status, page.headers.location]).toEqual([502, undefined]);
      expect(page.text).toMatch(reason);
      // It is asked again, and may have come to its senses.
      liar.forgery = {};
      expect((await new TestBrowser().open(`${server.url}/auth/login/liar`)).status).toBe(200);
    });

    test("secrets that would go where others can listen", async () => {
      await using liar = await startForgingProvider("loom");
      liar.forgery = { discovery: (document) => ({ ...document, token_endpoint: "http://evil.example/token" }) };
      await using place = await engine.create();
      await using server = await startSignInServer(place, {
        LOOM_SERVER_OIDC_LIAR_ISSUER: liar.issuer,
        LOOM_SERVER_OIDC_LIAR_CLIENT_ID: "loom",
        LOOM_SERVER_OIDC_LIAR_CLIENT_SECRET: "secret",
      });
      const page = await new TestBrowser().open(`${server.url}/auth/login/liar`);
      expect([page.status, page.text]).toEqual([502, expect.stringContaining("not_https")]);
    });
  });
});
