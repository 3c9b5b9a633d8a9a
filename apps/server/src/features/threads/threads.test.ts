import { createHash } from "node:crypto";
import { connect } from "node:net";
import { MAX_RECORD_BYTES } from "@loom/api";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { engines, sqlite, type TestHome } from "../../kit/engines.testing.ts";
import {
  AT,
  answered,
  headerOf,
  newThreadId,
  said,
  startThreadServer,
  type ThreadServer,
  text,
  toolSaid,
} from "./threads.testing.ts";

function digestOf(records: readonly string[]): string {
  return records.reduce((before, record) => createHash("sha256").update(`${before}\n${record}`).digest("hex"), "");
}

describe.each(engines)("on $name", (engine) => {
  let home: TestHome;
  let threads: ThreadServer;
  let ask: ThreadServer["ask"];

  beforeEach(async () => {
    home = await engine.create();
    threads = await startThreadServer(home);
    ask = threads.ask;
  });

  afterEach(async () => {
    await threads.close();
    await home[Symbol.asyncDispose]();
  });

  const put = (id: string, records: readonly string[], headers: Record<string, string>, query = "") =>
    ask("PUT", `/api/threads/${id}${query}`, { body: { records }, headers });
  const append = (id: string, version: number, records: readonly string[], query = "") =>
    ask("POST", `/api/threads/${id}/records${query}`, { body: { records }, headers: { "if-match": `"${version}"` } });

  test("a thread is put, appended to, and read back byte for byte", async () => {
    const id = newThreadId();
    const first = [headerOf(id), text(said("Fix the häuser 你好")), '{"type":"later-kind" ,  "x":1.50}'];
    const made = await put(id, first, { "if-none-match": "*" });
    expect([made.status, made.json, made.headers.get("etag")]).toEqual([
      201,
      { version: 3, digest: digestOf(first) },
      '"3"',
    ]);
    const more = [text(answered("Done.")), text(toolSaid("ok"))];
    const appended = await append(id, 3, more);
    expect([appended.status, appended.json]).toEqual([200, { version: 5, digest: digestOf([...first, ...more]) }]);
    const { json } = await ask("GET", `/v1/threads/${id}/records`);
    expect(json).toEqual({ records: [...first, ...more], version: 5 });
    expect((await ask("GET", `/api/threads/${id}/records?after=2&limit=2`)).json).toEqual({
      records: [first[2], more[0]],
      version: 5,
    });
    const info = await ask("GET", `/api/threads/${id}`);
    expect(info.headers.get("etag")).toBe('"5"');
    expect(info.json).toMatchObject({
      id,
      version: 5,
      owner: "owner",
      visibility: "private",
      title: "Fix the häuser 你好",
      turns: 1,
      models: ["scripted"],
    });
    const known = await ask("GET", `/api/threads/${id}`, { headers: { "if-none-match": '"5"' } });
    expect([known.status, known.text]).toEqual([304, ""]);
    for (const [at, records] of [
      [0, []],
      [2, first.slice(0, 2)],
      [3, first],
      [4, [...first, ...more.slice(0, 1)]],
    ] as const) {
      expect((await ask("GET", `/api/threads/${id}/digest?at=${at}`)).json).toEqual({
        at,
        digest: digestOf(records),
        version: 5,
      });
    }
    expect((await ask("GET", `/api/threads/${id}/digest?at=6`)).json).toEqual({ at: 6, digest: null, version: 5 });
  });

  test("messages are given by range, with their turns", async () => {
    const turns = Array.from({ length: 40 }, (_, turn) => [
      said(`question ${turn}`),
      answered(`answer ${turn}`),
    ]).flat();
    const id = await threads.make(...turns);
    const { json } = await ask("GET", `/api/threads/${id}/messages?from=10&limit=3`);
    expect(json).toMatchObject({
      total: 80,
      messages: [
        { index: 10, record: 12, turn: 6, role: "user", content: [{ text: "question 5" }] },
        { index: 11, record: 13, turn: 6, role: "assistant" },
        { index: 12, turn: 7, content: [{ text: "question 6" }] },
      ],
    });
    expect((await ask("GET", `/api/threads/${id}/messages?from=80`)).json).toMatchObject({ messages: [], total: 80 });
  });

  test("the same may be sent twice; what another has written is never overwritten", async () => {
    const id = newThreadId();
    const first = [headerOf(id), text(said("one"))];
    await put(id, first, { "if-none-match": "*" });
    expect((await put(id, first, { "if-none-match": "*" })).json).toMatchObject({ version: 2 });
    const two = [text(said("two"))];
    await append(id, 2, two);
    await append(id, 3, [text(said("three"))]);
    const again = await append(id, 2, two);
    expect([again.status, again.json.version]).toEqual([200, 4]);
    const other = await append(id, 2, [text(said("another two"))]);
    expect(other.status).toBe(412);
    expect(other.headers.get("etag")).toBe('"4"');
    expect(other.json).toMatchObject({ code: "version_mismatch", version: 4, thread: { id, version: 4 } });
    expect(other.json).not.toHaveProperty("records");
    const withCopy = await append(id, 9, two, "?copy=records");
    expect([withCopy.status, (withCopy.json.records as string[]).length]).toEqual([412, 4]);
    const replaced = [headerOf(id), text(said("all new"))];
    expect((await put(id, replaced, { "if-match": '"3"' })).status).toBe(412);
    expect((await put(id, replaced, { "if-match": 'W/"4"' })).status).toBe(412);
    expect((await put(id, replaced, { "if-match": '"4"' })).json).toEqual({ version: 2, digest: digestOf(replaced) });
    expect((await ask("GET", `/api/threads/${id}/records`)).json).toEqual({ records: replaced, version: 2 });
  });

  test("a change has to say what it changes", async () => {
    const id = newThreadId();
    const records = [headerOf(id)];
    expect((await put(id, records, {})).json).toMatchObject({ status: 428, code: "precondition_required" });
    await put(id, records, { "if-none-match": "*" });
    const path = `/api/threads/${id}/records`;
    const body = { records: [text(said("x"))] };
    expect((await ask("POST", path, { body })).status).toBe(428);
    expect((await ask("POST", path, { body, headers: { "if-match": "1" } })).status).toBe(400);
    expect((await ask("POST", path, { body: { ...body, from: 7 }, headers: { "if-match": '"1"' } })).status).toBe(400);
  });

  test("bad records are refused with a sentence that names them, and change nothing", async () => {
    const id = newThreadId();
    const header = headerOf(id);
    const wrong: [readonly string[], RegExp][] = [
      [[text(said("no header"))], /records\[0\] is wrong: must be the header/],
      [[headerOf(newThreadId())], /header of another thread/],
      [[header, header], /records\[1\] is wrong: is a second header/],
      [[header, "nonsense"], /records\[1\] is wrong: is no record/],
      [[header, '{"type":"title",\n"title":"x"}'], /newline/],
      [[header, `{"type":"later","x":"\ud800"}`], /well-formed/],
      [[header, '{"type":"title","title":"x"}'], /no time in UTC/],
      [[header, `{"type":"title","at":"${AT}","title":7}`], /no record/],
      [[header, `{"type":"event","at":"${AT}","event":{"type":"user_input","input":7}}`], /records\[1\]/],
      [[header, `{"type":"event","at":"${AT}","event":{"type":"user_input","input":[{"type":"text"}]}}`], /no sense/],
      [[header, `{"type":"event","at":"${AT}","event":{"type":"tool_completed","callId":"c"}}`], /damaged/],
      [[header, `{"type":"metadata","at":"${AT}","visibility":"everybody"}`], /visibility/],
      [[header.replace('"v":2', '"v":99')], /update the server/],
      [[header, "x".repeat(MAX_RECORD_BYTES + 1)], /larger than/],
    ];
    for (const [records, sentence] of wrong) {
      const { status, json } = await put(id, records, { "if-none-match": "*" });
      expect([status, json.detail]).toEqual([400, expect.stringMatching(sentence)]);
    }
    expect((await ask("GET", `/api/threads/${id}`)).status).toBe(404);
    const large = await fetch(`${threads.server.url}/api/threads/${id}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${threads.token}`, "content-type": "application/json", "if-none-match": "*" },
      body: Buffer.alloc(33 * 1024 * 1024),
    }).catch((error: unknown) => error);
    expect(large instanceof Response ? large.status : "refused").toBeOneOf([413, "refused"]);
  });

  test("a private thread is not taken, neither whole nor in part", async () => {
    const id = newThreadId();
    const hidden = text({ type: "metadata", at: AT, private: true });
    const open = text({ type: "metadata", at: AT, private: false });
    expect((await put(id, [headerOf(id), hidden], { "if-none-match": "*" })).json).toMatchObject({
      status: 422,
      code: "thread_private",
    });
    expect((await put(id, [headerOf(id), hidden, open], { "if-none-match": "*" })).status).toBe(201);
    expect((await append(id, 3, [hidden])).status).toBe(422);
    expect((await ask("GET", `/api/threads/${id}`)).json).toMatchObject({ version: 3 });
  });

  test("threads are put into the trash, restored, and purged for good", async () => {
    const id = await threads.make(said("secret plans"));
    await ask("PUT", `/api/threads/${id}/outputs/${digest("long")}`, { body: Buffer.from("long") });
    expect((await ask("DELETE", `/api/threads/${id}`, { headers: { "if-match": '"9"' } })).status).toBe(412);
    expect((await ask("DELETE", `/api/threads/${id}`)).status).toBe(200);
    expect((await ask("DELETE", `/api/threads/${id}`)).status).toBe(200);
    expect((await ask("GET", "/api/threads")).json.threads).toEqual([]);
    expect((await ask("GET", "/api/threads?deleted=true")).json.threads).toMatchObject([{ id }]);
    // Asked twice, it is deleted and restored once.
    for (const _ of [1, 2])
      expect((await ask("POST", `/api/threads/${id}/restore`)).json).toMatchObject({ version: 2 });
    const { events } = (await ask("GET", "/api/admin/audit")).json as { events: { event: string }[] };
    const trash = events.map(({ event }) => event).filter((event) => /^thread\.(?:deleted|restored)$/.test(event));
    expect(trash.sort()).toEqual(["thread.deleted", "thread.restored"]);
    expect((await ask("GET", "/api/threads")).json.threads).toMatchObject([{ id, deletedAt: null }]);
    for (const _ of [1, 2]) expect((await ask("DELETE", `/api/threads/${id}?purge=true`)).status).toBe(200);
    const again = await put(id, [headerOf(id as `T-${string}`)], { "if-none-match": "*" });
    expect(again.json).toMatchObject({ status: 410, code: "gone" });
    for (const path of ["", "/records", "/messages", "/digest", `/outputs/${digest("long")}`]) {
      expect([path, (await ask("GET", `/api/threads/${id}${path}`)).status]).toEqual([path, 410]);
    }
    const { changes } = (await ask("GET", "/api/threads/changes")).json as { changes: unknown[] };
    expect(changes).toMatchObject([{ id, version: 2, deleted: true, purged: true }]);
  });

  test("changes are given since a cursor, each thread once, in the order in which they came", async () => {
    const ids = [];
    for (const word of ["a", "b", "c"]) ids.push(await threads.make(said(word)));
    const first = (await ask("GET", "/api/threads/changes?limit=2")).json;
    expect(first).toMatchObject({ changes: [{ id: ids[0] }, { id: ids[1] }], more: true, rewound: false });
    await append(ids[0] ?? "", 2, [text(said("more"))]);
    await ask("DELETE", `/api/threads/${ids[1]}`);
    const next = (await ask("GET", `/api/threads/changes?since=${first.cursor}`)).json;
    expect(next).toMatchObject({
      changes: [
        { id: ids[2], version: 2 },
        { id: ids[0], version: 3 },
        { id: ids[1], deleted: true },
      ],
      more: false,
    });
    const last = (await ask("GET", `/api/threads/changes?since=${next.cursor}`)).json;
    expect(last).toEqual({ changes: [], cursor: next.cursor, more: false, rewound: false });
    expect((await ask("GET", "/api/threads/changes?since=nonsense")).status).toBe(400);
  });

  test("lists are filtered and paged, last used first", async () => {
    const times = ["2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z"];
    const ids: string[] = [];
    for (const [index, at] of times.entries()) {
      ids.push(
        await threads.make(
          said(`thread ${index}`, at),
          answered("yes", at),
          { type: "metadata", at, tags: [`n${index}`, "all"], pinned: index === 1 },
          { type: "git", at, remote: `github.com/acme/app${index}`, commit: "ab".repeat(20) },
        ),
      );
    }
    const list = async (query: string) =>
      ((await ask("GET", `/api/threads?${query}`)).json.threads as { id: string }[]).map(({ id }) => ids.indexOf(id));
    expect(await list("")).toEqual([2, 1, 0]);
    const first = (await ask("GET", "/api/threads?limit=2")).json;
    expect(await list(`limit=2&cursor=${first.nextCursor}`)).toEqual([0]);
    expect(await list("tag=n1")).toEqual([1]);
    expect(await list("tag=all,n2")).toEqual([2]);
    expect(await list("tag=n")).toEqual([]);
    expect(await list("repository=app1")).toEqual([1]);
    expect(await list("repository=acme/app2")).toEqual([2]);
    expect(await list("repository=pp2")).toEqual([]);
    expect(await list("model=script")).toEqual([2, 1, 0]);
    expect(await list("model=other")).toEqual([]);
    expect(await list("pinned=true")).toEqual([1]);
    expect(await list("since=2026-01-02&until=2026-01-03")).toEqual([1]);
    expect(await list("workspace=/work")).toEqual([2, 1, 0]);
    expect(await list("author=me")).toEqual([2, 1, 0]);
    expect(await list("author=somebody")).toEqual([]);
    expect(await list("visibility=private")).toEqual([2, 1, 0]);
    expect((await ask("GET", "/api/threads?nonsense=1")).status).toBe(400);
  });

  test("an output is kept under its own hash, for the thread that has it", async () => {
    const [id, other] = [await threads.make(said("a")), await threads.make(said("b"))];
    const content = Buffer.from("x".repeat(300_000));
    const name = digest(content);
    const path = `/api/threads/${id}/outputs/${name}`;
    const missing = () => ask("POST", `/api/threads/${id}/outputs/missing`, { body: { sha256s: [name] } });
    expect((await missing()).json).toEqual({ missing: [name] });
    expect((await ask("PUT", path, { body: Buffer.from("something else") })).status).toBe(400);
    for (const _ of [1, 2]) expect((await ask("PUT", path, { body: content })).status).toBe(200);
    expect((await missing()).json).toEqual({ missing: [] });
    expect((await ask("GET", path)).text).toBe(content.toString());
    expect((await ask("GET", path.replace(id, other))).status).toBe(404);
    expect((await ask("GET", `/api/threads/${id}/outputs/..%2f..%2fx`)).status).toBe(400);
  });

  test("who may see a thread is asked for by itself; records can only narrow it", async () => {
    const id = await threads.make(said("x"), { type: "metadata", at: AT, visibility: "public" });
    expect((await ask("GET", `/api/threads/${id}`)).json).toMatchObject({
      visibility: "private",
      wantedVisibility: "public",
    });
    const set = (body: unknown) => ask("POST", `/api/threads/${id}/visibility`, { body });
    expect((await set({ visibility: "public" })).json).toMatchObject({ visibility: "public", version: 3 });
    expect((await ask("GET", `/api/threads/${id}`)).headers.get("etag")).toBe('"3-1"');
    expect((await set({ visibility: "organization" })).status).toBe(400);
    expect((await set({ visibility: "team" })).status).toBe(400);
    expect((await set({ visibility: "everybody" })).status).toBe(400);
    await append(id, 3, [text(said("still public"))]);
    expect((await ask("GET", `/api/threads/${id}`)).json).toMatchObject({ visibility: "public" });
    await append(id, 4, [text({ type: "metadata", at: AT, visibility: "team" })]);
    expect((await ask("GET", `/api/threads/${id}`)).json).toMatchObject({ visibility: "team" });
  });

  test("a fork has the first records of another thread, and says so", async () => {
    const id = await threads.make(said("one"), answered("yes"), said("two"));
    const forked = await ask("POST", `/api/threads/${id}/fork`, { body: { version: 3 } });
    expect([forked.status, forked.json]).toEqual([
      201,
      expect.objectContaining({ version: 3, turns: 1, forkedFrom: { id, version: 3 } }),
    ]);
    expect((await ask("POST", `/api/threads/${id}/fork`, { body: { version: 9 } })).status).toBe(400);
  });

  test("the support asks, the owner approves for 31 days, and takes it back", async () => {
    const id = await threads.make(said("x"));
    const path = `/api/threads/${id}/support-access`;
    expect((await ask("GET", path)).json).toMatchObject({ state: "none" });
    expect((await ask("POST", `${path}/approve`)).status).toBe(400);
    expect((await ask("POST", path, { body: { reason: "ticket 7" } })).json).toMatchObject({
      state: "requested",
      reason: "ticket 7",
    });
    const { json } = await ask("POST", `${path}/approve`);
    expect(json.state).toBe("approved");
    const days = (Date.parse(String(json.expiresAt)) - Date.parse(String(json.approvedAt))) / 86_400_000;
    expect(days).toBeCloseTo(31, 3);
    expect((await ask("GET", `/api/threads/${id}`)).json.sharedWithSupportUntil).toBe(json.expiresAt);
    expect((await ask("DELETE", path)).json).toMatchObject({ state: "revoked" });
    expect((await ask("GET", `/api/threads/${id}`)).json.sharedWithSupportUntil).toBeNull();
  });
});

test("a body of 100 MB is refused early: the connection is closed after a small part of it", async () => {
  const home = await sqlite.create();
  const threads = await startThreadServer(home);
  const { hostname, port } = new URL(threads.server.url);
  const chunk = Buffer.alloc(64 * 1024, "x");
  for (const length of [`content-length: ${100_000_000}`, "transfer-encoding: chunked"]) {
    const socket = connect(Number(port), hostname);
    let answer = "";
    socket.setEncoding("utf8").on("data", (text: string) => {
      answer += text;
    });
    socket.on("error", () => undefined);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    const head = `POST /api/tokens HTTP/1.1\r\nhost: ${hostname}:${port}\r\nauthorization: Bearer ${threads.token}`;
    socket.write(`${head}\r\ncontent-type: application/json\r\n${length}\r\n\r\n`);
    const isChunked = length.startsWith("transfer");
    let sent = 0;
    // A client that does not listen.
    while (!socket.destroyed && sent < 100_000_000) {
      if (isChunked) socket.write(`${chunk.length.toString(16)}\r\n`);
      const hasRoom = socket.write(chunk);
      if (isChunked) socket.write("\r\n");
      sent += chunk.length;
      if (!hasRoom) await Promise.race([closed, new Promise((resolve) => socket.once("drain", resolve))]);
    }
    await closed;
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    // What the kernel holds for both sides counts too.
    expect(sent).toBeLessThan(40_000_000);
  }
  await threads.close();
  await home[Symbol.asyncDispose]();
});

function digest(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}
