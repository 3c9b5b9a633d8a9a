// What the support may see of somebody's thread, and what is recorded of it: a real server, people who sign in by mail.
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import type { TestBrowser } from "../sign-in/browser.testing.ts";
import { askAs, directoryInbox, signInByMail } from "../sign-in/by-mail.testing.ts";
import { type SignInServer, startSignInServer } from "../sign-in/sign-in.testing.ts";
import { headerOf, newThreadId, said, text } from "./threads.testing.ts";

describe.each(engines)("on $name", { timeout: 60_000 }, (engine) => {
  let home: TestHome;
  let server: SignInServer;
  let root: TestBrowser;
  let ada: TestBrowser;
  let sam: TestBrowser;

  beforeEach(async () => {
    home = await engine.create();
    server = await startSignInServer(home, { LOOM_SERVER_MAIL_DIRECTORY: join(home.path, "mail") });
    // The first runs the server.
    [root, ada, sam] = [await signIn("root"), await signIn("ada"), await signIn("sam")];
    const { json } = await ask(sam, "GET", "/api/users/me");
    const roles = await ask(root, "PATCH", `/api/admin/users/${json.id}/roles`, { roles: ["support"] });
    expect(roles.status).toBe(200);
  });
  afterEach(async () => {
    await server[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  const signIn = (name: string) =>
    signInByMail(server.url, directoryInbox(join(home.path, "mail")), `${name}@example.com`);

  const ask = (
    as: TestBrowser,
    method: string,
    path: string,
    ...more: [body?: unknown, expected?: Readonly<Record<string, string>>]
  ) => askAs(server.url, as, method, path, ...more);

  async function uses(id: string): Promise<unknown[]> {
    const { json } = await ask(root, "GET", "/api/admin/audit?event=support_access.used&limit=100");
    const events = json.events as {
      readonly actor: { readonly name: string };
      readonly target: { readonly id: string };
    }[];
    return events.filter(({ target }) => target.id === id).map(({ actor }) => actor.name);
  }

  test("it reads what the owner has let it read, each look is recorded, and nothing is left when that is over", async () => {
    const id = newThreadId();
    const records = [headerOf(id), text(said("a wombat in the build"))];
    const put = await ask(ada, "PUT", `/api/threads/${id}`, { records }, { "if-none-match": "*" });
    expect(put.status).toBe(201);
    const path = `/api/threads/${id}/support-access`;
    const listed = async () => JSON.stringify((await ask(sam, "GET", "/api/threads")).json).includes(id);

    expect((await ask(sam, "GET", `/api/threads/${id}`)).status).toBe(404);
    expect((await ask(sam, "POST", path, { reason: "ticket 7" })).json).toMatchObject({ state: "requested" });
    expect((await ask(sam, "POST", `${path}/approve`)).status).toBe(404);
    expect([(await ask(sam, "GET", `/api/threads/${id}`)).status, await listed()]).toEqual([404, false]);
    expect((await ask(ada, "POST", `${path}/approve`)).json).toMatchObject({ state: "approved" });
    expect(await uses(id)).toEqual([]);

    expect(await listed()).toBe(true);
    await expect.poll(() => uses(id)).toEqual(["sam"]);
    expect((await ask(sam, "GET", `/api/threads/${id}/messages`)).status).toBe(200);
    await expect.poll(() => uses(id)).toEqual(["sam", "sam"]);
    const found = async () => JSON.stringify((await ask(sam, "GET", "/api/threads/search?q=wombat")).json).includes(id);
    await expect.poll(found, { timeout: 20_000 }).toBe(true);
    await expect.poll(async () => (await uses(id)).length).toBe(3);
    expect((await ask(sam, "DELETE", `/api/threads/${id}`)).status).toBe(404);
    // Its owner looks at it, too, and that is nobody's business.
    expect((await ask(ada, "GET", `/api/threads/${id}`)).status).toBe(200);
    expect(await uses(id)).toHaveLength(3);

    expect((await ask(ada, "DELETE", path)).json).toMatchObject({ state: "revoked" });
    expect([(await ask(sam, "GET", `/api/threads/${id}`)).status, await listed(), await found()]).toEqual([
      404,
      false,
      false,
    ]);
  });
});
