// What people are told about the security of their accounts: a real server, and a real mail server that takes it.
import type { Email } from "postal-mime";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import { startMailServer, type TestMailServer } from "../mail/mail-server.testing.ts";
import { addApp } from "../second-factor/factor.testing.ts";
import { TestBrowser } from "../sign-in/browser.testing.ts";
import { type Inbox, serverInbox, signInByMail } from "../sign-in/by-mail.testing.ts";
import { CLIENT, type RealProvider, startRealProvider } from "../sign-in/real-provider.testing.ts";
import { type SignInServer, startSignInServer } from "../sign-in/sign-in.testing.ts";

const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1";

describe.each(engines)("on $name", { timeout: 120_000 }, (engine) => {
  let home: TestHome;
  let post: TestMailServer;
  let okta: RealProvider;
  let server: SignInServer;
  let inbox: Inbox;

  beforeEach(async () => {
    home = await engine.create();
    post = await startMailServer({ hideSTARTTLS: true });
    okta = await startRealProvider({ name: "okta", loom: () => server.url });
    server = await startSignInServer(home, {
      LOOM_SERVER_SMTP_HOST: "127.0.0.1",
      LOOM_SERVER_SMTP_PORT: String(post.port),
      LOOM_SERVER_SMTP_TLS: "none",
      LOOM_SERVER_MAIL_FROM: "loom@example.com",
      LOOM_SERVER_OKTA_DOMAIN: okta.issuer,
      LOOM_SERVER_OKTA_CLIENT_ID: CLIENT.id,
      LOOM_SERVER_OKTA_CLIENT_SECRET: CLIENT.secret,
    });
    inbox = serverInbox(post);
    // The first runs the server; those that the test is about do not.
    await signIn("root");
  });
  afterEach(async () => {
    await server[Symbol.asyncDispose]();
    await okta[Symbol.asyncDispose]();
    await post[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  const signIn = (name: string, agent = FIREFOX) =>
    signInByMail(server.url, inbox, `${name}@example.com`, new TestBrowser({ "user-agent": agent }));

  const told = async (name: string): Promise<readonly Email[]> =>
    (await inbox(`${name}@example.com`)).filter(({ subject }) => subject !== "Sign in to Loom");

  /** The newest of what somebody was told, when that is so much. */
  async function news(name: string, count: number): Promise<Email> {
    await expect
      .poll(async () => (await told(name)).map(({ subject }) => subject), { timeout: 20_000 })
      .toHaveLength(count);
    return (await told(name)).at(-1) ?? expect.fail("Nothing was told.");
  }

  async function ask(as: TestBrowser, method: string, path: string, body?: unknown) {
    const cookie = [...as.jar("127.0.0.1")].map((pair) => pair.join("=")).join("; ");
    const response = await fetch(server.url + path, {
      method,
      headers: {
        ...{ cookie, origin: server.url, "user-agent": FIREFOX },
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  }

  test("somebody is told of a sign-in with a device that was not seen before, and of no other", async () => {
    await signIn("ada");
    await signIn("ada");
    await signIn("ada", IPHONE);
    const mail = await news("ada", 1);
    expect(mail.subject).toBe("Your account was signed in to from somewhere new");
    expect(mail.text).toContain("With Safari on iPhone, from 127.0.0.1");
    expect(mail.text).toContain("If this was not you: ");
    const again = await signIn("ada", IPHONE);
    await addApp(server.url, again);
    // What comes after it is the next thing that is told.
    expect((await news("ada", 2)).text).toContain("An app that shows codes was added to your account.");
    const notices = await ask(again, "GET", "/api/users/me/notices");
    expect((notices.json.notices as { kind: string }[]).map(({ kind }) => kind)).toEqual(["security", "security"]);
  });

  test("keys, second factors and ways to sign in: whoever has them is told, and nothing secret", async () => {
    const ada = await signIn("ada");
    const made = await ask(ada, "POST", "/api/keys", { name: "ci" });
    const mail = await news("ada", 1);
    expect(mail.text).toContain('You made your API key "ci".\n\nWith Firefox on Linux, from 127.0.0.1');
    await ask(ada, "DELETE", `/api/keys/${(made.json.info as { id: string }).id}`);
    expect((await news("ada", 2)).subject).toBe("An API key of yours was revoked");
    const app = await addApp(server.url, ada);
    expect((await news("ada", 3)).subject).toBe("A second factor was added");
    await ada.submit(`${server.url}/auth/factors/remove`, { id: app.id });
    expect((await news("ada", 4)).text).toContain("An app that shows codes was removed from your account.");
    const secrets = [made.json.key as string, app.secret, ...app.recoveryCodes];
    for (const { raw } of post.mails) for (const secret of secrets) expect(raw).not.toContain(secret);
  });

  test("of an organization's keys all its owners are told; of a role, whose it is", async () => {
    const [ada, bob] = [await signIn("ada"), await signIn("bob")];
    await ask(ada, "POST", "/api/orgs", { slug: "acme" });
    const put = (role: string, ifMatch?: string) => server.call("PUT", "/api/orgs/acme/members/bob", { role }, ifMatch);
    await put("member");
    expect((await news("bob", 1)).text).toContain(
      "Whoever runs this server added you to the organization acme as member.",
    );
    await put("owner", "*");
    const changed = await news("bob", 2);
    expect(changed.text).toContain("changed your role in the organization acme from member to owner.");
    // Others' addresses are theirs.
    expect(changed.text).not.toContain("127.0.0.1");
    await ask(bob, "POST", "/api/orgs/acme/keys", { name: "robot", scopes: ["llm:use"] });
    expect((await news("bob", 3)).text).toContain('You made the API key "robot" of the organization acme.');
    expect((await news("ada", 1)).text).toContain('bob made the API key "robot" of the organization acme.');
    await server.call("DELETE", "/api/orgs/acme/members/bob", undefined, "*");
    expect((await news("bob", 4)).subject).toBe("You are not in acme any more");
  });

  test("an account at a provider that is linked or taken away is told of, but not the one that an account begins with", async () => {
    const eve = new TestBrowser({ "user-agent": FIREFOX });
    okta.person = { sub: "eve", email: "eve@example.com", email_verified: true };
    await eve.open(`${server.url}/auth/login/okta`);
    // A second account there with the same address, as only who has that address gets one.
    okta.person = { sub: "eve-2", email: "eve@example.com", email_verified: true };
    const again = new TestBrowser({ "user-agent": FIREFOX });
    await again.open(`${server.url}/auth/login/okta`);
    expect((await news("eve", 1)).text).toContain("An account at okta was linked to your account.");
    const { json } = await ask(again, "GET", "/api/identities");
    const [identity] = json.identities as readonly { readonly id: string }[];
    await ask(again, "DELETE", `/api/identities/${identity?.id}`);
    expect((await news("eve", 2)).text).toContain("An account at okta was taken from your account.");
  });

  test("a mail server that is gone holds up nobody, and nothing that was asked for fails", async () => {
    const ada = await signIn("ada");
    await post[Symbol.asyncDispose]();
    expect((await ask(ada, "POST", "/api/keys", { name: "ci" })).status).toBe(201);
    const kept = async () => (await ask(ada, "GET", "/api/users/me/notices")).json.notices as { text: string }[];
    await expect.poll(async () => (await kept()).map(({ text }) => text)).toEqual(['You made your API key "ci".']);
  });
});
