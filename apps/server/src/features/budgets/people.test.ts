import { say } from "@loom/testkit";
import { describe, expect, test } from "vitest";
import { engines } from "../../kit/engines.testing.ts";
import { send, startOwnerServer } from "../../testing.ts";
import { TestBrowser } from "../sign-in/browser.testing.ts";
import { NO_SIGN_IN } from "../sign-in/sign-in-config.ts";

const QUESTION = JSON.stringify({
  model: "claude-sonnet-5",
  max_tokens: 10,
  messages: [{ role: "user", content: "Hello" }],
});

describe.each(engines)("limits of people, on $name", (engine) => {
  test("hold for a user whichever of his keys is used, and for nobody else", async () => {
    await using home = await engine.create();
    const signIn = { ...NO_SIGN_IN, developmentUser: "ada@example.com" };
    await using world = await startOwnerServer({
      script: () => say("Hi."),
      server: { postgres: home.postgres, signIn },
    });
    const { url } = world.server;
    const browser = new TestBrowser();
    await browser.open(`${url}/auth/development`);
    const jar = [...browser.jar("127.0.0.1")].map(([name, value]) => `${name}=${value}`).join("; ");
    const keyNamed = async (name: string) => {
      const answer = await fetch(`${url}/api/keys`, {
        method: "POST",
        headers: { cookie: jar, origin: url, "content-type": "application/json" },
        body: JSON.stringify({ name, scopes: ["llm:use"] }),
      });
      return (await answer.json()) as { key: string; info: { id: string; owner: { id: string } } };
    };
    const [first, second] = [await keyNamed("one"), await keyNamed("two")];
    const asOwner = (method: string, path: string, body: object) =>
      send(url, {
        method,
        path,
        body: JSON.stringify(body),
        headers: { authorization: `Bearer ${world.token}`, "content-type": "application/json" },
      });
    const limits = { requestsPerMinute: 1 };
    expect((await asOwner("PUT", `/api/budgets/user/${first.info.owner.id}`, limits)).status).toBe(200);
    const ask = async (token: string) =>
      (
        await send(url, {
          method: "POST",
          path: "/proxy/anthropic/v1/messages",
          body: QUESTION,
          headers: {
            authorization: `Bearer ${token}`,
            "content-type": "application/json",
            "anthropic-version": "2023-06-01",
          },
        })
      ).status;
    expect([await ask(first.key), await ask(second.key), await ask(world.token)]).toEqual([200, 429, 200]);
    expect((await asOwner("PUT", "/api/budgets/galaxy/x", limits)).status).toBe(400);
  });
});
