import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import * as openid from "openid-client";
import { describe, expect, test } from "vitest";
import { startOwnerServer } from "../../testing.ts";
import { type Page, TestBrowser } from "../sign-in/browser.testing.ts";
import { NO_SIGN_IN } from "../sign-in/sign-in-config.ts";

const CLIENT = "third-party-tool";

async function start() {
  const test = await startOwnerServer({ server: { signIn: { ...NO_SIGN_IN, developmentUser: "ada@example.com" } } });
  const { url } = test.server;
  const discover = () =>
    openid.discovery(new URL(url), CLIENT, undefined, openid.None(), {
      algorithm: "oauth2",
      execute: [openid.allowInsecureRequests],
    });
  const browser = new TestBrowser();
  return {
    url,
    discover,
    browser,
    signIn: () => browser.open(`${url}/auth/development`),
    whoAmI: async (token: string) => {
      const answer = await fetch(`${url}/api/sessions`, { headers: { authorization: `Bearer ${token}` } });
      return {
        status: answer.status,
        body: (await answer.json()) as { sessions?: { kind: string; current: boolean }[] },
      };
    },
    [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](),
  };
}

/** What the form on a page would send, with the button that is pressed. */
function formOf(page: Page, decision: string): Record<string, string> {
  const fields = page.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g);
  const plain = (text: string) => text.replaceAll("&amp;", "&").replaceAll("&#39;", "'").replaceAll("&quot;", '"');
  return { ...Object.fromEntries([...fields].map(([, name = "", value = ""]) => [name, plain(value)])), decision };
}

describe("a device, with a client that knows nothing of Loom", () => {
  test("is let in on a page that shows who asks", async () => {
    await using world = await start();
    const config = await world.discover();
    const device = await openid.initiateDeviceAuthorization(config, { scope: "account" });
    expect(device.user_code).toMatch(/^[B-Z]{4}-[B-Z]{4}$/);
    await world.signIn();
    const page = await world.browser.open(device.verification_uri_complete ?? "");
    expect(page.text).toContain(CLIENT);
    expect(page.text).toContain("127.0.0.1");
    expect(page.text).toContain("openid-client");
    expect(page.text).toContain(device.user_code);
    expect(page.headers["x-frame-options"]).toBe("DENY");
    const done = await world.browser.submit(`${world.url}/device`, formOf(page, "allow"));
    expect(done.text).toContain("let in");
    const tokens = await openid.pollDeviceAuthorizationGrant(config, { ...device, interval: 0.01 });
    const { status, body } = await world.whoAmI(tokens.access_token);
    expect(status).toBe(200);
    expect(body.sessions?.find((each) => each.current)?.kind).toBe("editor");
  });

  test("is told of a refusal, in the words of the standard", async () => {
    await using world = await start();
    const config = await world.discover();
    const device = await openid.initiateDeviceAuthorization(config, {});
    await world.signIn();
    const page = await world.browser.submit(`${world.url}/device`, { user_code: device.user_code, decision: "look" });
    await world.browser.submit(`${world.url}/device`, formOf(page, "deny"));
    const poll = openid.pollDeviceAuthorizationGrant(config, { ...device, interval: 0.01 });
    await expect(poll).rejects.toMatchObject({ error: "access_denied", status: 400 });
  });

  test("is let in by nobody who is not signed in, nor by another site's form", async () => {
    await using world = await start();
    const config = await world.discover();
    const device = await openid.initiateDeviceAuthorization(config, {});
    const stranger = new TestBrowser();
    const sent = await stranger.open(device.verification_uri_complete ?? "", { follow: false });
    expect(sent.headers.location).toBe(
      `/auth/sign-in?redirect_to=${encodeURIComponent(`/device?user_code=${device.user_code}`)}`,
    );
    const form = { user_code: device.user_code, decision: "allow" };
    expect((await stranger.submit(`${world.url}/device`, form)).status).toBe(401);
    await world.signIn();
    const evil = { headers: { origin: "https://evil.example" } };
    expect((await world.browser.submit(`${world.url}/device`, form, evil)).status).toBe(403);
    const noOrigin = await world.browser.open(`${world.url}/device`, { method: "POST", form });
    expect(noOrigin.status).toBe(403);
  });

  test("cannot be found by guessing its code", async () => {
    await using world = await start();
    await world.signIn();
    const statuses: number[] = [];
    for (let guess = 0; guess < 22; guess += 1) {
      const page = await world.browser.submit(`${world.url}/device`, { user_code: "BCDF-GHJK", decision: "allow" });
      statuses.push(page.status);
    }
    expect(statuses.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => 400));
    expect(statuses.slice(20)).toEqual([429, 429]);
  });

  test.each([
    [{ grant_type: "urn:ietf:params:oauth:grant-type:device_code", client_id: CLIENT }, "invalid_request"],
    [
      { grant_type: "urn:ietf:params:oauth:grant-type:device_code", client_id: CLIENT, device_code: "x" },
      "invalid_grant",
    ],
    [{ grant_type: "password", client_id: CLIENT }, "unsupported_grant_type"],
    [{ client_id: CLIENT }, "unsupported_grant_type"],
    [{ grant_type: "authorization_code", client_id: CLIENT, code: "x" }, "invalid_request"],
    [{}, "invalid_request"],
  ])("%j at the token endpoint is %s", async (form, error) => {
    await using world = await start();
    const answer = await fetch(`${world.url}/oauth/token`, { method: "POST", body: new URLSearchParams(form) });
    expect(answer.status).toBe(400);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(await answer.json()).toMatchObject({ error });
  });
});

describe("a program on the user's own machine", () => {
  async function listener() {
    let arrived: (url: URL) => void = () => undefined;
    const callback = new Promise<URL>((resolve) => {
      arrived = resolve;
    });
    const server = createServer((request, response) => {
      response.end("You can close this page.");
      arrived(new URL(request.url ?? "", `http://127.0.0.1:${(server.address() as AddressInfo).port}`));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const redirectUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`;
    return {
      redirectUri,
      callback,
      [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())),
    };
  }

  async function ask(world: Awaited<ReturnType<typeof start>>, redirectUri: string) {
    const config = await world.discover();
    const verifier = openid.randomPKCECodeVerifier();
    const state = openid.randomState();
    const address = openid.buildAuthorizationUrl(config, {
      redirect_uri: redirectUri,
      scope: "account",
      state,
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    });
    return { config, verifier, state, address };
  }

  test("is let in through the browser, with a code that only it can use", async () => {
    await using world = await start();
    await using program = await listener();
    const { config, verifier, state, address } = await ask(world, program.redirectUri);
    await world.signIn();
    const page = await world.browser.open(address.href);
    expect(page.text).toContain("Let this program in?");
    // A browser follows the answer to the form to the program only where the page's policy says so.
    expect(page.headers["content-security-policy"]).toContain(
      `form-action 'self' ${new URL(program.redirectUri).origin};`,
    );
    await world.browser.submit(`${world.url}/oauth/authorize`, formOf(page, "allow"));
    const callback = await program.callback;
    const tokens = await openid.authorizationCodeGrant(config, callback, {
      pkceCodeVerifier: verifier,
      expectedState: state,
    });
    expect((await world.whoAmI(tokens.access_token)).status).toBe(200);
    const again = openid.authorizationCodeGrant(config, callback, { pkceCodeVerifier: verifier, expectedState: state });
    await expect(again).rejects.toMatchObject({ error: "invalid_grant" });
    expect((await world.whoAmI(tokens.access_token)).status).toBe(401);
  });

  test("is told of a refusal", async () => {
    await using world = await start();
    await using program = await listener();
    const { config, verifier, state, address } = await ask(world, program.redirectUri);
    await world.signIn();
    const page = await world.browser.open(address.href);
    await world.browser.submit(`${world.url}/oauth/authorize`, formOf(page, "deny"));
    const grant = openid.authorizationCodeGrant(config, await program.callback, {
      pkceCodeVerifier: verifier,
      expectedState: state,
    });
    await expect(grant).rejects.toMatchObject({ error: "access_denied" });
  });

  test.each(["https://evil.example/", "http://127.0.0.1.evil.example/", "javascript:alert(1)"])(
    "that wants its code sent to %s gets none, and the browser does not go there",
    async (redirectUri) => {
      await using world = await start();
      const { address } = await ask(world, redirectUri);
      await world.signIn();
      const page = await world.browser.open(address.href, { follow: false });
      expect(page.status).toBe(400);
      expect(page.headers.location).toBeUndefined();
    },
  );

  test("needs PKCE", async () => {
    await using world = await start();
    await using program = await listener();
    const { address } = await ask(world, program.redirectUri);
    address.searchParams.delete("code_challenge");
    await world.signIn();
    const page = await world.browser.open(address.href, { follow: false });
    expect(page.headers.location).toContain("error=invalid_request");
  });
});
