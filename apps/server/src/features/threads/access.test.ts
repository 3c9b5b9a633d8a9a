import { createHash } from "node:crypto";
import { cp, rm } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { engines, sqlite, type TestHome } from "../../kit/engines.testing.ts";
import { headerOf, newThreadId, said, startThreadServer, type ThreadServer, text } from "./threads.testing.ts";

describe.each(engines)("on $name", (engine) => {
  let home: TestHome;
  let threads: ThreadServer;
  let ann: string;
  let ben: string;

  beforeEach(async () => {
    home = await engine.create();
    threads = await startThreadServer(home);
    const mint = async (name: string) => {
      const scopes = ["threads:read", "threads:write", "threads:delete"];
      const { json } = await threads.ask("POST", "/api/tokens", { body: { name, scopes } });
      return String(json.token);
    };
    [ann, ben] = [await mint("ann"), await mint("ben")];
  });

  afterEach(async () => {
    await threads.close();
    await home[Symbol.asyncDispose]();
  });

  async function threadOfAnn(words: string): Promise<string> {
    const id = newThreadId();
    const body = { records: [headerOf(id), text(said(words))] };
    const made = await threads.ask("PUT", `/api/threads/${id}`, {
      token: ann,
      body,
      headers: { "if-none-match": "*" },
    });
    expect(made.status).toBe(201);
    return id;
  }

  test("another's thread cannot be told from one that is not there", async () => {
    const [id, nothing] = [await threadOfAnn("secret plans"), newThreadId()];
    const records = { records: [text(said("mine now"))] };
    const attempts: [string, string, unknown?, Record<string, string>?][] = [
      ["GET", ""],
      ["GET", "/records"],
      ["GET", "/messages"],
      ["GET", "/digest"],
      ["GET", "/events"],
      ["GET", "/export"],
      ["GET", "/support-access"],
      ["GET", `/outputs/${"0".repeat(64)}`],
      ["POST", "/records", records, { "if-match": '"2"' }],
      ["POST", "/visibility", { visibility: "public" }],
      ["POST", "/fork", {}],
      ["POST", "/share", {}],
      ["POST", "/restore"],
      ["POST", "/support-access", { reason: "x" }],
      ["POST", "/support-access/approve"],
      ["DELETE", ""],
      ["DELETE", "?purge=true"],
      ["DELETE", "/share"],
    ];
    for (const [method, path, body, headers] of attempts) {
      const asking = {
        token: ben,
        ...(body === undefined ? {} : { body }),
        ...(headers === undefined ? {} : { headers }),
      };
      const answers = [];
      for (const each of [id, nothing]) {
        const { status, json } = await threads.ask(method, `/api/threads/${each}${path}`, asking);
        answers.push([method, path, status, { ...json, instance: "" }]);
      }
      expect(answers[0]).toEqual(answers[1]);
      expect(answers[0]?.[2]).toBe(404);
      const anonymous = await threads.ask(method, `/api/threads/${id}${path}`, { ...asking, token: "" });
      expect([method, path, anonymous.status]).toEqual([method, path, 401]);
    }
    const list = async (token: string) => (await threads.ask("GET", "/api/threads", { token })).json.threads;
    expect([await list(ben), ((await list(ann)) as unknown[]).length]).toEqual([[], 1]);
    expect((await threads.ask("GET", "/api/threads/changes", { token: ben })).json.changes).toEqual([]);
    expect((await threads.ask("GET", `/api/threads/${id}`, { token: ann })).json).toMatchObject({ version: 2 });
  });

  test("a search finds what one may read, and a public thread is everybody's to read", async () => {
    const id = await threadOfAnn("zebra crossing");
    const hits = async (token: string) =>
      ((await threads.ask("GET", "/api/threads/search?q=zebra", { token })).json.hits as unknown[]).length;
    await expect.poll(() => hits(ann), { timeout: 20_000 }).toBeGreaterThan(0);
    expect(await hits(ben)).toBe(0);
    const body = { visibility: "public" };
    expect((await threads.ask("POST", `/api/threads/${id}/visibility`, { token: ann, body })).status).toBe(200);
    for (const path of ["", "/records", "/messages", "/export?format=markdown"]) {
      expect((await threads.ask("GET", `/api/threads/${id}${path}`, { token: "" })).status).toBe(200);
    }
    expect((await threads.ask("DELETE", `/api/threads/${id}`, { token: ben })).status).toBe(404);
    await threads.ask("DELETE", `/api/threads/${id}`, { token: ann });
    expect((await threads.ask("GET", `/api/threads/${id}`, { token: "" })).status).toBe(401);
  });
});

test("a client notices that the server was set back to an older copy, and appends again what is lost", async () => {
  const home = await sqlite.create();
  let threads = await startThreadServer(home);
  const id = newThreadId();
  const records = Array.from({ length: 6 }, (_, index) => (index === 0 ? headerOf(id) : text(said(`words ${index}`))));
  const put = (list: readonly string[]) =>
    threads.ask("PUT", `/api/threads/${id}`, { body: { records: list }, headers: { "if-none-match": "*" } });
  const append = (version: number, list: readonly string[]) =>
    threads.ask("POST", `/api/threads/${id}/records`, {
      body: { records: list },
      headers: { "if-match": `"${version}"` },
    });
  await put(records.slice(0, 3));
  await threads.close();
  await cp(home.path, `${home.path}-copy`, { recursive: true });
  threads = await startThreadServer(home);
  await append(3, records.slice(3, 5));
  const { cursor } = (await threads.ask("GET", "/api/threads/changes")).json;
  await threads.close();
  await rm(home.path, { recursive: true });
  await cp(`${home.path}-copy`, home.path, { recursive: true });

  threads = await startThreadServer(home);
  expect((await threads.ask("GET", `/api/threads/changes?since=${cursor}`)).json).toMatchObject({ rewound: true });
  const refused = await append(5, records.slice(5));
  expect([refused.status, refused.json.version]).toEqual([412, 3]);
  const digest = records
    .slice(0, 3)
    .reduce((before, each) => createHash("sha256").update(`${before}\n${each}`).digest("hex"), "");
  expect((await threads.ask("GET", `/api/threads/${id}/digest?at=3`)).json).toMatchObject({ digest });
  expect((await append(3, records.slice(3))).json).toMatchObject({ version: 6 });
  const next = (await threads.ask("GET", `/api/threads/changes?since=${cursor}`)).json;
  expect(next).toMatchObject({ changes: [{ id, version: 6 }], rewound: false });
  await threads.close();
  for (const path of [home.path, `${home.path}-copy`]) await rm(path, { recursive: true, force: true });
});
