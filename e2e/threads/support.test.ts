import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTempHome, type ScriptedModel, say, startScriptedModel, type TempHome } from "@loom/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PATIENT, runLoom, startLoom } from "../../apps/cli/src/testing.ts";
import { environment, type ServerProcess, startServerProcess } from "../../apps/server/src/process.testing.ts";

let model: ScriptedModel;
let data: string;
let server: ServerProcess;
let home: TempHome;
/** Cookies of people's browsers, by their names. */
const cookies = new Map<string, string>();

/** The server, with somebody who is signed in by asking for it. */
async function startServer(user: string): Promise<void> {
  server = await startServerProcess(data, {
    timeoutMs: 10 * 60_000,
    env: environment(data, {
      LOOM_SERVER_DEV_USER: `${user}@example.com`,
      OPENAI_API_KEY: "sk-test-0123456789abcdef",
      LOOM_SERVER_OPENAI_BASE_URL: `${model.url}/v1`,
      LOOM_SERVER_OPENAI_MODEL: "scripted",
      LOOM_SERVER_OPENAI_FAST_MODEL: "scripted-fast",
    }),
  });
  const answer = await fetch(`${server.url}/auth/development`, { redirect: "manual" });
  cookies.set(user, answer.headers.getSetCookie()[0]?.split(";")[0] ?? "");
}

async function stopServer(): Promise<void> {
  server.process.signal("SIGTERM");
  await server.process.exited;
}

/** As somebody does in a browser; `owner`: who runs the server, by the token. */
async function ask(as: string, method: string, path: string, body?: unknown) {
  const response = await fetch(server.url + path, {
    method,
    headers: {
      ...(as === "owner" ? { authorization: `Bearer ${server.token}` } : { cookie: cookies.get(as) ?? "" }),
      origin: server.url,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      "if-match": "*",
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, text, json: text.startsWith("{") ? JSON.parse(text) : {} };
}

beforeAll(async () => {
  model = await startScriptedModel({ script: () => say("It is noted.") });
  data = mkdtempSync(join(tmpdir(), "loom-support-"));
  home = await createTempHome();
  for (const user of ["ada", "sue", "bob"]) {
    await startServer(user);
    if (user !== "bob") await stopServer();
  }
  await ask("owner", "PATCH", "/api/admin/users/sue/roles", { roles: ["support"] });
  // Nobody else, acting in his place, could let the support in: bob signs in himself.
  const login = await startLoom(home, ["login", server.url, "--device"]);
  const code = (await login.waitForOutput(/ {4}([A-Z]{4}-[A-Z]{4})\n/))[1] ?? "";
  await fetch(`${server.url}/device`, {
    method: "POST",
    redirect: "manual",
    headers: { cookie: cookies.get("bob") ?? "", origin: server.url },
    body: new URLSearchParams({ user_code: code, decision: "allow" }),
  });
  expect(await login.exited).toMatchObject({ code: 0 });
}, PATIENT.timeout);
afterAll(async () => {
  await stopServer();
  await model.close();
  await home.remove();
  rmSync(data, { recursive: true, force: true, maxRetries: 5 });
});

function loom(...args: string[]) {
  const env = { LOOM_SERVER_URL: server.url, LOOM_AUTO_COMMIT_ENABLED: "false" };
  return runLoom(home, args, { env, timeoutMs: 120_000 });
}

async function newThread(words: string): Promise<string> {
  const begun = await loom("-p", words, "--output-format", "json");
  expect(begun).toMatchObject({ code: 0 });
  expect(await loom("sync", "now")).toMatchObject({ code: 0 });
  return JSON.parse(begun.stdout).threadId;
}

describe("people of the support", PATIENT, () => {
  test("read a thread when they have asked and its owner has said yes, no longer, and that they did is recorded", async () => {
    const id = await newThread("Why is the pelican late?");
    const reads = async (path = "/messages") => (await ask("sue", "GET", `/api/threads/${id}${path}`)).status;
    const uses = async () =>
      (await ask("owner", "GET", `/api/admin/audit?event=support_access.used&target=${id}`)).json.events ?? [];
    const nobodyAsked = await loom("share", id, "--support");
    expect(nobodyAsked).toMatchObject({ code: 1, stderr: expect.stringContaining("has not asked to read") });
    expect(await reads()).toBe(404);

    expect(await ask("sue", "POST", `/api/threads/${id}/support-access`, { reason: "ticket 7" })).toMatchObject({
      status: 200,
      json: { state: "requested" },
    });
    expect((await ask("sue", "POST", `/api/threads/${id}/support-access/approve`)).status).toBe(404);
    expect(await reads()).toBe(404);
    expect(await uses()).toEqual([]);

    const approved = await loom("share", id, "--support");
    expect(approved).toMatchObject({ code: 0, stdout: expect.stringMatching(/can read thread \S+ until 20/) });
    const page = await ask("sue", "GET", `/api/threads/${id}/messages`);
    expect([page.status, page.text]).toEqual([200, expect.stringContaining("Why is the pelican late?")]);
    for (const path of ["", "/records", "/export?format=markdown"]) expect(await reads(path)).toBe(200);
    await expect.poll(async () => (await uses()).length, { timeout: 20_000 }).toBe(4);
    expect((await uses())[0]).toMatchObject({ actor: { name: "sue" }, target: { type: "thread", id } });
    expect((await ask("sue", "POST", `/api/threads/${id}/visibility`, { visibility: "public" })).status).toBe(404);

    expect(await loom("share", id, "--support", "--revoke")).toMatchObject({ code: 0 });
    expect(await reads()).toBe(404);
    expect(await uses()).toHaveLength(4);
    // The owner's own reads are nobody's business.
    expect((await ask("bob", "GET", `/api/threads/${id}/messages`)).status).toBe(200);
    expect(await uses()).toHaveLength(4);
  });
});

describe("a thread of an organization", PATIENT, () => {
  test("that everybody may read is forked by its members, and by nobody else", async () => {
    const id = await newThread("What we agreed on.");
    expect(await ask("bob", "POST", "/api/orgs", { slug: "acme", name: "Acme" })).toMatchObject({ status: 201 });
    const { json: acme } = await ask("bob", "GET", "/api/orgs/acme");
    const place = { visibility: "public", organization: acme.id };
    expect(await ask("bob", "POST", `/api/threads/${id}/visibility`, place)).toMatchObject({ status: 200 });
    expect((await ask("sue", "GET", `/api/threads/${id}`)).status).toBe(200);
    const refused = await ask("sue", "POST", `/api/threads/${id}/fork`, {});
    expect([refused.status, refused.json.detail]).toEqual([
      403,
      "A thread can be forked only by members of the organization that it is in.",
    ]);
    const forked = await ask("bob", "POST", `/api/threads/${id}/fork`, {});
    expect(forked).toMatchObject({ status: 201, json: { organization: acme.id, forkedFrom: { id } } });
    expect(forked.json.visibility).toBe("private");
  });
});
