import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import { follow } from "./follow.ts";
import { goOn } from "./follow-place.ts";
import { hangUp, listenTo } from "./following.testing.ts";
import { LiveHub, News } from "./live-hub.ts";
import type { ThreadAccess } from "./thread-row.ts";
import { AT, headerOf, said, startThreadServer, type ThreadServer, text } from "./threads.testing.ts";

const ACCESS: ThreadAccess = {
  id: "T-1",
  owner: "ann",
  organization: null,
  team: null,
  visibility: "private",
  support_until: null,
  deleted_at: null,
  purged: 0,
};

describe.each(engines)("on $name", (engine) => {
  let home: TestHome;
  let threads: ThreadServer;

  beforeEach(async () => {
    home = await engine.create();
    threads = await startThreadServer(home);
  });

  afterEach(async () => {
    hangUp();
    await threads.close();
    await home[Symbol.asyncDispose]();
  });

  const append = (id: string, version: number, records: readonly string[], by = threads) =>
    by.ask("POST", `/api/threads/${id}/records`, { body: { records }, headers: { "if-match": `"${version}"` } });

  test("who follows a thread gets every record, in order, each with its version", async () => {
    const id = await threads.make(said("one"));
    const { server, token } = threads;
    const live = await listenTo(server.url, token, `/api/threads/${id}/events`);
    expect(live.response.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
    const records = Array.from({ length: 60 }, (_, index) => text(said(`words ${index}`)));
    for (const [index, record] of records.entries()) await append(id, 2 + index, [record]);
    await live.until(60);
    expect(live.events).toEqual(records.map((record, index) => [String(index + 3), record]));
    live.close();
    const resumed = await listenTo(server.url, token, `/v1/threads/${id}/events`, { "last-event-id": "40" });
    await resumed.until(22);
    expect(resumed.events.map(([version]) => Number(version))).toEqual(
      Array.from({ length: 22 }, (_, index) => 41 + index),
    );
    const whole = await listenTo(server.url, token, `/api/threads/${id}/events?after=0`);
    await whole.until(62);
    expect(whole.events.map(([, data]) => data).slice(2)).toEqual(records);
  });

  test("following ends when the thread is purged, and when the server stops", async () => {
    const [id, other] = [await threads.make(said("one")), await threads.make(said("two"))];
    const { server, token } = threads;
    const live = await listenTo(server.url, token, `/api/threads/${id}/events`);
    const second = await listenTo(server.url, token, `/api/threads/${other}/events`);
    await threads.ask("DELETE", `/api/threads/${id}?purge=true`);
    await live.closed;
    await threads.close();
    await second.closed;
  });

  test("following ends when the thread is not to be seen any more", async () => {
    const minted = await threads.ask("POST", "/api/tokens", { body: { name: "ben", scopes: ["threads:read"] } });
    const id = await threads.make(said("one"));
    const show = (visibility: string) => threads.ask("POST", `/api/threads/${id}/visibility`, { body: { visibility } });
    expect((await show("public")).status).toBe(200);
    const { server } = threads;
    const live = await listenTo(server.url, String(minted.json.token), `/api/threads/${id}/events?after=0`);
    await live.until(2);
    expect((await show("private")).status).toBe(200);
    await append(id, 2, [text(said("for nobody else"))]);
    await live.closed;
    expect(live.events).toHaveLength(2);
    const again = await threads.ask("GET", `/api/threads/${id}/events`, { token: String(minted.json.token) });
    expect(again.status).toBe(404);
  });

  test("following ends when the token is revoked, also of what everybody signed in may read", async () => {
    const minted = await threads.ask("POST", "/api/tokens", { body: { name: "ben", scopes: ["threads:read"] } });
    const { token, info } = minted.json as { token: string; info: { id: string } };
    const id = await threads.make(said("one"));
    const body = { visibility: "public" };
    expect((await threads.ask("POST", `/api/threads/${id}/visibility`, { body })).status).toBe(200);
    const live = await listenTo(threads.server.url, token, `/api/threads/${id}/events?after=0`);
    await live.until(2);
    let isOver = false;
    void live.closed.then(() => {
      isOver = true;
    });
    expect((await threads.ask("DELETE", `/api/tokens/${info.id}`)).status).toBe(200);
    for (let version = 2; !isOver; version += 1) {
      expect((await append(id, version, [text(said("more"))])).status).toBe(200);
    }
  });

  test.each([
    ["makes it private", { type: "metadata", visibility: "private" }],
    ["puts it into the trash", { type: "metadata", deleted: true }],
  ] as const)("who is shut out by an append that %s gets nothing of it", async (_, record) => {
    const minted = await threads.ask("POST", "/api/tokens", { body: { name: "ben", scopes: ["threads:read"] } });
    const id = await threads.make(said("one"));
    const body = { visibility: "public" };
    expect((await threads.ask("POST", `/api/threads/${id}/visibility`, { body })).status).toBe(200);
    const { server, token } = threads;
    const path = `/api/threads/${id}/events?after=0`;
    const foreign = await listenTo(server.url, String(minted.json.token), path);
    const owner = await listenTo(server.url, token, path);
    await Promise.all([foreign.until(2), owner.until(2)]);
    // Seen by both: from here on news goes out at once.
    await append(id, 2, [text(said("for all"))]);
    await Promise.all([foreign.until(3), owner.until(3)]);
    expect((await append(id, 3, [text(said("a secret")), text({ ...record, at: AT })])).status).toBe(200);
    await Promise.all([foreign.closed, owner.until(5)]);
    expect(foreign.events).toHaveLength(3);
  });

  test("who comes back after a replacement begins again, and who has the present records goes on", async () => {
    const id = await threads.make(said("one"));
    const { server, token } = threads;
    const path = `/api/threads/${id}/events`;
    const live = await listenTo(server.url, token, `${path}?after=0`);
    await live.until(2);
    expect(live.pieces.map((piece) => piece.split("\n")[0])).toEqual(["id: 1.0", "id: 1.1", "id: 1.2"]);
    const records = [headerOf(id), text(said("another one")), text(said("another two"))];
    const headers = { "if-match": '"2"' };
    expect((await threads.ask("PUT", `/api/threads/${id}`, { body: { records }, headers })).status).toBe(200);
    await live.closed;
    expect(live.events).toHaveLength(2);
    const pieceOf = (version: number) => `id: 2.${version}\ndata: ${records[version - 1]}`;
    const anew = ["event: replaced\nid: 2.0\ndata: {}", pieceOf(1), pieceOf(2), pieceOf(3)];
    // The last two: of a server that was set back.
    for (const last of ["1.2", "1.0", "3.1", "2.4", "4"]) {
      const again = await listenTo(server.url, token, path, { "last-event-id": last });
      await again.until(3);
      expect([last, again.pieces]).toEqual([last, anew]);
      again.close();
    }
    for (const last of ["2.2", "2"]) {
      const resumed = await listenTo(server.url, token, path, { "last-event-id": last });
      await resumed.until(1);
      expect([last, resumed.pieces]).toEqual([last, ["id: 2.2", pieceOf(3)]]);
      resumed.close();
    }
  });

  test("a listener that reads nothing holds up nobody, and reads it all when it does", {
    timeout: 120_000,
  }, async () => {
    const id = await threads.make(said("one"));
    const { server, token } = threads;
    const slow = await listenTo(server.url, token, `/api/threads/${id}/events`);
    slow.response.pause();
    const quick = await listenTo(server.url, token, `/api/threads/${id}/events`);
    const long = "x".repeat(2_000_000);
    for (let version = 2; version < 14; version++)
      expect((await append(id, version, [text(said(`${version} ${long}`))])).status).toBe(200);
    await quick.until(12);
    slow.response.resume();
    await slow.until(12);
    expect(slow.events.map(([version]) => Number(version))).toEqual(
      Array.from({ length: 12 }, (_, index) => index + 3),
    );
  });
});

test("a listener that never reads is let go, nothing piles up for it, and it goes on where it was", async () => {
  const hub = new LiveHub();
  const record = text(said("x".repeat(100_000)));
  let reads = 0;
  const ended: Promise<void>[] = [];
  const server = createServer((incoming, outgoing) => {
    const gone = new AbortController();
    outgoing.once("close", () => gone.abort());
    const read = async () => {
      reads += 1;
      return Array.from({ length: 10 }, () => record);
    };
    const from = goOn({ generation: 1, version: 1_000_000 }, incoming.headers["last-event-id"], 0);
    const lives = { mayRead: () => true, heartbeatMs: 60_000, lifeMs: 600_000, patienceMs: 300 };
    ended.push(follow({ id: "req-1", outgoing, signal: gone.signal }, { id: "T-1", from, hub, read, ...lives }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(server, "request");
  // News for it, meanwhile, without end.
  for (let n = 0; n < 1_000; n++) hub.tell("T-1", new News({ generation: 1, version: n }, [record], ACCESS));
  await ended[0];
  // What the sockets of both sides take, and a little more; not what there is.
  expect(reads).toBeLessThan(100);
  expect(hub.size).toBe(0);
  let heard = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    heard += chunk;
  });
  await once(socket, "close");
  const last = Number([...heard.matchAll(/^id: 1\.(\d+)\ndata: .*\n\n/gm)].at(-1)?.[1]);
  expect(last).toBeGreaterThan(0);
  const again = await listenTo(`http://127.0.0.1:${port}`, "", "/", { "last-event-id": `1.${last}` });
  await again.until(1);
  expect(again.events[0]?.[0]).toBe(String(last + 1));
  again.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test("what waits for a slow listener comes from the store, if it may be read still, where something happened meanwhile", async () => {
  const hub = new LiveHub();
  const record = text(said("x".repeat(100_000)));
  let isShutOut = false;
  let asleep = () => {};
  const isAsleep = new Promise<void>((resolve) => {
    asleep = resolve;
  });
  const server = createServer(async (_, outgoing) => {
    const gone = new AbortController();
    outgoing.once("close", () => gone.abort());
    const read = async (after: number) => {
      if (isShutOut) return undefined;
      if (after > 0) setImmediate(asleep);
      return after === 0 ? [record] : [];
    };
    const from = { generation: 1, version: 0, isReplaced: false };
    const lives = { mayRead: () => true, heartbeatMs: 60_000, lifeMs: 600_000, patienceMs: 60_000 };
    await follow({ id: "req-1", outgoing, signal: gone.signal }, { id: "T-1", from, hub, read, ...lives });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const live = await listenTo(`http://127.0.0.1:${port}`, "", "/");
  await isAsleep;
  live.response.pause();
  const news = (version: number, records: readonly string[]) => new News({ generation: 1, version }, records, ACCESS);
  hub.tell(
    "T-1",
    news(
      1,
      Array.from({ length: 200 }, () => record),
    ),
  );
  hub.tell("T-1", news(201, [text(said("a secret"))]));
  isShutOut = true;
  hub.tell("T-1");
  live.response.resume();
  await live.closed;
  expect(live.events).toHaveLength(201);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const shared = engines.find(({ name }) => name === "PostgreSQL");

test.skipIf(shared === undefined)(
  "what is appended at one server is seen at another on the same database",
  async () => {
    const home = await shared?.create();
    if (home === undefined) throw new Error("There is no PostgreSQL.");
    const one = await startThreadServer(home);
    const two = await startThreadServer(home);
    const id = await one.make(said("one"));
    const live = await listenTo(two.server.url, one.token, `/api/threads/${id}/events?after=0`);
    await live.until(2);
    const path = `/api/threads/${id}/records`;
    await one.ask("POST", path, { body: { records: [text(said("two"))] }, headers: { "if-match": '"2"' } });
    await two.ask("POST", path, { body: { records: [text(said("three"))] }, headers: { "if-match": '"3"' } });
    await live.until(4);
    expect(live.events.map(([version]) => version)).toEqual(["1", "2", "3", "4"]);
    live.close();
    await Promise.all([one.close(), two.close()]);
    await home[Symbol.asyncDispose]();
  },
);

test.skipIf(shared === undefined)(
  "who was shut out at another server gets nothing of what is appended here in the same moment",
  async () => {
    const home = await shared?.create();
    if (home === undefined) throw new Error("There is no PostgreSQL.");
    const one = await startThreadServer(home);
    const two = await startThreadServer(home);
    const minted = await one.ask("POST", "/api/tokens", { body: { name: "ben", scopes: ["threads:read"] } });
    const id = await one.make(said("one"));
    const path = `/api/threads/${id}`;
    const show = (visibility: string) => one.ask("POST", `${path}/visibility`, { body: { visibility } });
    const append = (version: number, words: string) =>
      two.ask("POST", `${path}/records`, {
        body: { records: [text(said(words))] },
        headers: { "if-match": `"${version}"` },
      });
    expect((await show("public")).status).toBe(200);
    const foreign = await listenTo(two.server.url, String(minted.json.token), `${path}/events?after=0`);
    const owner = await listenTo(two.server.url, one.token, `${path}/events?after=0`);
    await Promise.all([foreign.until(2), owner.until(2)]);
    expect((await append(2, "for all")).status).toBe(200);
    await Promise.all([foreign.until(3), owner.until(3)]);
    expect((await show("private")).status).toBe(200);
    expect((await append(3, "a secret")).status).toBe(200);
    await Promise.all([foreign.closed, owner.until(4)]);
    expect(foreign.events).toHaveLength(3);
    owner.close();
    await Promise.all([one.close(), two.close()]);
    await home[Symbol.asyncDispose]();
  },
);

test.skipIf(shared === undefined)(
  "what is appended to a thread that another server has replaced is not sent behind what was there before",
  async () => {
    const home = await shared?.create();
    if (home === undefined) throw new Error("There is no PostgreSQL.");
    const one = await startThreadServer(home);
    const two = await startThreadServer(home);
    const id = await one.make(said("one"));
    const live = await listenTo(two.server.url, one.token, `/api/threads/${id}/events?after=0`);
    await live.until(2);
    const headers = { "if-match": '"2"' };
    const records = [headerOf(id), text(said("another one"))];
    await one.ask("PUT", `/api/threads/${id}`, { body: { records }, headers });
    const body = { records: [text(said("another two"))] };
    expect((await two.ask("POST", `/api/threads/${id}/records`, { body, headers })).status).toBe(200);
    await live.closed;
    expect(live.events).toHaveLength(2);
    await Promise.all([one.close(), two.close()]);
    await home[Symbol.asyncDispose]();
  },
);
