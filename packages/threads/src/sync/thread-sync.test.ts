import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createThreadsClient } from "@loom/api/threads-client";
import type { ThreadId } from "@loom/core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { askForLease } from "../lease.ts";
import { TurnWriter } from "../long-thread.testing.ts";
import { Device } from "./device.testing.ts";
import { serverRemote } from "./server-remote.ts";
import { SyncServer } from "./sync-server.testing.ts";
import { RemoteError, type ThreadRemote } from "./thread-sync.ts";

let server: SyncServer;
let remote: ThreadRemote;
const devices: Device[] = [];
beforeAll(async () => {
  server = await SyncServer.start();
  ({ remote } = server);
});
afterEach(async () => {
  for (const device of devices.splice(0)) device.remove();
  await server.clear();
});
afterAll(() => server.stop());

function machine(now?: () => number): Device {
  const device = new Device(now);
  devices.push(device);
  return device;
}

const LONG = "a line of output\n".repeat(1_000);

describe("threads on two machines", () => {
  test("go up, come down, and go on", async () => {
    const [a, b] = [machine(), machine()];
    const id = await a.begin("alpha", { output: LONG });
    expect(await a.sync(remote)).toMatchObject({ type: "done", settled: 1 });
    await b.sync(remote);
    expect(b.threads()).toEqual(a.threads());
    expect(b.text()).toContain(JSON.stringify(LONG).slice(1, -1));
    await b.say(id, "beta");
    await b.sync(remote);
    await a.sync(remote);
    expect(a.threads()).toEqual(b.threads());
    expect(a.text()).toContain("done with beta");
    expect(a.syncWith(remote).status()).toMatchObject({ pending: 0 });
  });

  test("that were continued on both become two, with all that was said, and the person is told once", async () => {
    const [a, b] = [machine(), machine()];
    const id = await a.begin("alpha");
    await a.sync(remote);
    await b.sync(remote);
    await a.say(id, "on a");
    await b.say(id, "on b");
    await a.sync(remote);
    await b.sync(remote);
    await a.sync(remote);
    expect(a.threads()).toEqual(b.threads());
    expect(a.threads().size).toBe(2);
    const [side] = [...a.threads().keys()].filter((each) => each !== id);
    if (side === undefined) throw new Error("there is no copy");
    expect(JSON.stringify(a.store.load(id).messages)).toContain("on a");
    expect(JSON.stringify(a.store.load(id).messages)).not.toContain("on b");
    const copy = a.store.load(side);
    expect(JSON.stringify(copy.messages)).toContain("on b");
    expect(copy.header.forkedFrom).toMatchObject({ id, version: expect.any(Number) });
    expect(b.syncWith(remote).takeNotices()).toEqual([expect.stringContaining(side)]);
    expect(b.syncWith(remote).takeNotices()).toEqual([]);
    expect(a.syncWith(remote).takeNotices()).toEqual([]);
  });

  test("that were named on one and continued on the other stay one", async () => {
    const [a, b] = [machine(), machine()];
    const id = await a.begin("alpha");
    await a.sync(remote);
    await b.sync(remote);
    for (const [namer, talker] of [
      [a, b],
      [b, a],
    ] as const) {
      const title = `Named ${namer === a ? "by a" : "by b"}`;
      await namer.store.change(id, { title, tags: ["tag"] });
      await talker.say(id, `instead of ${title}`);
      await namer.sync(remote);
      await talker.sync(remote);
      await namer.sync(remote);
      expect(a.threads()).toEqual(b.threads());
      expect(a.threads().size).toBe(1);
      expect(a.store.load(id).facts).toMatchObject({ title, tags: ["tag"] });
      expect(a.text()).toContain(`done with instead of ${title}`);
    }
  });

  test("that were put into the trash on one and continued on the other are not in the trash", async () => {
    const [a, b] = [machine(), machine()];
    const id = await a.begin("alpha");
    await a.sync(remote);
    await b.sync(remote);
    await a.store.change(id, { deleted: true });
    await b.say(id, "beta");
    for (const each of [a, b, a]) await each.sync(remote);
    expect(a.threads()).toEqual(b.threads());
    expect(a.store.load(id).facts.deletedAt).toBeUndefined();
    await b.store.change(id, { deleted: true });
    for (const each of [b, a]) await each.sync(remote);
    expect(a.store.load(id).facts.deletedAt).toBeDefined();
  });

  test("that were put into the trash on the server, or taken out of it, are so on both", async () => {
    const [a, b] = [machine(), machine()];
    const id = await a.begin("alpha");
    for (const each of [a, b]) await each.sync(remote);
    for (const trash of [true, false]) {
      await server.putInTrash(id, trash);
      for (const each of [a, b, a]) await each.sync(remote);
      expect(b.threads()).toEqual(a.threads());
      for (const each of [a, b]) expect(each.store.load(id).facts.deletedAt !== undefined).toBe(trash);
      for (const each of [a, b]) expect(await each.sync(remote)).toMatchObject({ settled: 0 });
    }
  });

  test("that are removed for good on one are removed on the other", async () => {
    const [a, b] = [machine(), machine()];
    const id = await a.begin("alpha");
    await a.sync(remote);
    await b.sync(remote);
    a.purge(id);
    await a.sync(remote);
    await b.sync(remote);
    expect(b.threads().size).toBe(0);
    expect(b.syncWith(remote).status()).toMatchObject({ pending: 0, detached: [] });
    for (const each of [a, b]) expect(await each.sync(remote)).toMatchObject({ settled: 0 });
  });

  test("that are removed for good on one stay where something was said that was never on the server", async () => {
    const [a, b] = [machine(), machine()];
    const id = await a.begin("alpha");
    await a.sync(remote);
    await b.sync(remote);
    a.purge(id);
    await b.say(id, "beta");
    await a.sync(remote);
    await b.sync(remote);
    expect(b.text()).toContain("beta");
    expect(b.syncWith(remote).status()).toMatchObject({ pending: 0, detached: [id] });
    expect(b.syncWith(remote).takeNotices()).toHaveLength(1);
    await b.say(id, "gamma");
    await b.sync(remote);
    expect(await server.ids()).toEqual([]);
  });

  test("that are removed on one and were continued on the other before come back", async () => {
    const [a, b] = [machine(), machine()];
    const id = await a.begin("alpha");
    await a.sync(remote);
    await b.sync(remote);
    await b.say(id, "beta");
    await b.sync(remote);
    a.purge(id);
    await a.sync(remote);
    expect(a.threads()).toEqual(b.threads());
    expect(a.syncWith(remote).takeNotices()).toEqual([expect.stringContaining("it is back")]);
  });
});

describe("an output that comes to the server after its thread", () => {
  const SHA256 = createHash("sha256").update(LONG).digest("hex");
  const CONTENT = Buffer.from(LONG);
  const inText = JSON.stringify(LONG).slice(1, -1);

  function counting() {
    const asked: string[] = [];
    const counted: ThreadRemote = {
      ...remote,
      missingOutputs(id, outputs, call) {
        asked.push("missing");
        return remote.missingOutputs(id, outputs, call);
      },
      output(id, sha256, call) {
        asked.push("output");
        return remote.output(id, sha256, call);
      },
    };
    return { asked, counted };
  }

  async function sentWithoutOutput(on: Device): Promise<ThreadId> {
    const id = await on.begin("alpha", { output: LONG });
    await on.sync({ ...remote, putOutput: async () => undefined });
    return id;
  }

  test("is fetched by the next sync, and not asked for before", async () => {
    const [a, b] = [machine(), machine()];
    const id = await sentWithoutOutput(a);
    const { asked, counted } = counting();
    await b.sync(counted);
    expect(b.text()).toContain(`bytes is lost: ${SHA256}`);
    expect(b.syncWith(remote).status()).toMatchObject({ pending: 0, lacking: [{ id, outputs: 1 }] });
    expect(asked.splice(0)).toEqual(["output"]);
    for (let round = 0; round < 3; round++) await b.sync(counted);
    expect(asked.splice(0)).toEqual([]);
    // What happens to the thread is a reason to ask once.
    await a.say(id, "beta");
    await a.sync(remote);
    await b.sync(counted);
    expect(asked.splice(0)).toEqual(["missing"]);
    await remote.putOutput(id, SHA256, CONTENT, { signal: new AbortController().signal });
    await b.sync(counted, { hurry: false });
    expect(asked.splice(0)).toEqual(["missing", "output"]);
    expect(b.text()).toContain(inText);
    expect(b.threads()).toEqual(a.threads());
    expect(b.syncWith(remote).status()).toMatchObject({ pending: 0, lacking: [] });
    await b.sync(counted);
    expect(asked).toEqual([]);
  });

  test("is fetched though this machine has forgotten what it lacks, and though to ask fails first", async () => {
    const [a, b] = [machine(), machine()];
    const id = await sentWithoutOutput(a);
    await b.sync(remote);
    b.forget();
    await remote.putOutput(id, SHA256, CONTENT, { signal: new AbortController().signal });
    const failing = { ...remote, missingOutputs: () => Promise.reject(new RemoteError("request", "It failed.")) };
    expect(await b.sync(failing)).toMatchObject({ type: "done" });
    expect(b.text()).not.toContain(inText);
    const { asked, counted } = counting();
    await b.sync(counted, { hurry: false });
    expect(asked).toEqual([]);
    await b.sync(counted);
    expect(b.text()).toContain(inText);
  });
});

describe("an output that the server has lost", () => {
  const SHA256 = createHash("sha256").update(LONG).digest("hex");
  const check = { checkOutputs: true };

  /** Told of what it is asked for and given; the first `refusals` outputs are not taken. */
  function watching(refusals = 0) {
    const seen: string[] = [];
    const watched: ThreadRemote = {
      ...remote,
      missingOutputs(id, outputs, call) {
        seen.push(`asked for ${outputs.length} of ${id}`);
        return remote.missingOutputs(id, outputs, call);
      },
      async putOutput(id, sha256, content, call) {
        if (refusals-- > 0) throw new RemoteError("request", "The disk is full.");
        seen.push(`given ${sha256}`);
        await remote.putOutput(id, sha256, content, call);
      },
    };
    return { seen, watched };
  }

  test.each([false, true])(
    "is sent by a machine that has it when a person asks; journal deleted: %s",
    async (isDeleted) => {
      const [a, b] = [machine(), machine()];
      const id = await a.begin("alpha", { output: LONG });
      await a.begin("beta");
      await a.sync({ ...remote, putOutput: async () => undefined });
      await b.sync(remote);
      expect(b.syncWith(remote).status()).toMatchObject({ lacking: [{ id, outputs: 1 }] });
      if (isDeleted) a.forget();
      const { seen, watched } = watching();
      await a.sync(watched);
      expect(seen.splice(0)).toEqual([]);
      expect(await a.sync(watched, check)).toMatchObject({ type: "done", failed: 0 });
      expect(seen.splice(0)).toEqual([`asked for 1 of ${id}`, `given ${SHA256}`]);
      await b.sync(remote);
      expect(b.threads()).toEqual(a.threads());
      expect(b.text()).toContain(JSON.stringify(LONG).slice(1, -1));
      expect(b.syncWith(remote).status()).toMatchObject({ pending: 0, lacking: [] });
      await a.sync(watched, check);
      expect(seen).toEqual([`asked for 1 of ${id}`]);
    },
  );

  test("is not sent for a thread that stays on this machine, also where it could not be taken back yet", async () => {
    const a = machine();
    const id = await a.begin("alpha", { output: LONG });
    await a.begin("beta", { output: LONG, private: true });
    await a.sync({ ...remote, putOutput: async () => undefined });
    await a.store.change(id, { private: true });
    const { seen, watched } = watching();
    const cannotPurge: ThreadRemote = { ...watched, purge: () => Promise.reject(new RemoteError("request", "No.")) };
    expect(await a.sync(cannotPurge, check)).toMatchObject({ failed: 1 });
    await a.sync(watched, check);
    expect(seen).toEqual([]);
  });

  test("is told of where the server does not take it, and the others are sent all the same", async () => {
    const a = machine();
    const id = await a.begin("alpha", { output: LONG });
    await a.begin("beta", { output: `${LONG}more` });
    await a.sync({ ...remote, putOutput: async () => undefined });
    const { seen, watched } = watching(1);
    expect(await a.sync(watched, check)).toMatchObject({ type: "done", failed: 1 });
    expect(seen.filter((each) => each.startsWith("given"))).toHaveLength(1);
    expect(a.syncWith(remote).takeNotices()).toEqual([
      expect.stringMatching(/^The server was not sent all long outputs of thread T-.*: The disk is full\.$/),
    ]);
    expect(await a.sync(watched, check)).toMatchObject({ failed: 0 });
    expect(seen).toContain(`asked for 1 of ${id}`);
    expect(new Set(seen.filter((each) => each.startsWith("given"))).size).toBe(2);
  });
});

test("more outputs than a server is asked for at once go up, and come late, some behind a thousand that still lack", {
  timeout: 120_000,
}, async () => {
  const outputs = Array.from({ length: 1_010 }, (_, index) => `${"output ".repeat(1_200)}${index}`);
  const names = outputs.map((text) => createHash("sha256").update(text).digest("hex"));
  const [a, b] = [machine(), machine()];
  const writer = a.store.create({ workspace: "/work", loomVersion: "1.2.3" });
  new TurnWriter(writer).turn("alpha", outputs);
  await writer.close();
  const { id } = writer;
  const sent: string[] = [];
  const losing: ThreadRemote = { ...remote, putOutput: async (_, sha256) => void sent.push(sha256) };
  expect(await a.sync(losing)).toMatchObject({ type: "done", settled: 1, failed: 0 });
  expect(sent).toEqual(names);

  const put = async (from: number, to: number) => {
    const { signal } = new AbortController();
    for (const [index, name] of [...names.entries()].slice(from, to)) {
      await remote.putOutput(id, name, Buffer.from(outputs[index] ?? ""), { signal });
    }
  };
  const lacking = () => {
    const isHere = (name: string) => existsSync(join(b.directory, "outputs", name.slice(0, 2), name));
    return { names: names.filter((name) => !isHere(name)), told: b.syncWith(remote).status().lacking };
  };
  await b.sync({ ...remote, output: async () => undefined });
  expect(lacking()).toEqual({ names, told: [{ id, outputs: 1_000, more: true }] });
  await put(1_008, 1_010);
  await b.sync(remote);
  expect(lacking()).toEqual({ names: names.slice(0, 1_008), told: [{ id, outputs: 1_000, more: true }] });
  // A journal from before there was such a word.
  const journal = join(b.stateDirectory, "journal.jsonl");
  writeFileSync(journal, readFileSync(journal, "utf8").replaceAll(',"more":true', ""));
  await put(0, 10);
  await b.sync(remote);
  expect(lacking()).toEqual({ names: names.slice(10, 1_008), told: [{ id, outputs: 998 }] });
  await put(1_007, 1_008);
  await b.sync(remote);
  expect(lacking()).toEqual({ names: names.slice(10, 1_007), told: [{ id, outputs: 997 }] });
});

describe("a thread that was removed on one machine", () => {
  test("comes back where the other one has said as much as was removed, and only there", async () => {
    const [a, b] = [machine(), machine()];
    const id = await a.begin("alpha");
    // The server has it; this machine was killed before it heard so.
    await a.sync(remote);
    a.forget();
    await b.sync(remote);
    await a.say(id, "on a");
    a.purge(id);
    await b.say(id, "on b");
    for (const each of [b, a, b]) await each.sync(remote);
    for (const each of [a, b]) expect(each.text()).toContain("done with on b");
  });

  test("is removed on the server too where nothing else was said, though nobody has heard that it came there", async () => {
    const a = machine();
    const id = await a.begin("alpha");
    await a.sync(remote);
    a.forget();
    a.purge(id);
    await a.sync(remote);
    expect([await server.ids(), a.threads().size]).toEqual([[], 0]);
  });
});

describe("a thread that is private", () => {
  test("is never sent, and not asked for", async () => {
    const a = machine();
    await a.begin("secret", { private: true });
    const id = await a.begin("alpha");
    await a.store.change(id, { private: true });
    await a.sync(remote);
    await a.say(id, "more");
    await a.sync(remote);
    expect(await server.ids()).toEqual([]);
    expect(a.syncWith(remote).status()).toMatchObject({ pending: 0 });
    await a.store.change(id, { private: false });
    await a.sync(remote);
    expect(await server.ids()).toEqual([id]);
  });

  test("is taken back from the server, once what was said elsewhere is here", async () => {
    const [a, b] = [machine(), machine()];
    const id = await a.begin("alpha");
    await a.sync(remote);
    await b.sync(remote);
    await b.say(id, "beta");
    await b.sync(remote);
    await a.store.change(id, { private: true });
    await a.sync(remote);
    expect(await server.ids()).toEqual([]);
    expect(a.text()).toContain("beta");
    expect(a.syncWith(remote).status()).toMatchObject({ pending: 0, withdrawn: [id] });
    await b.sync(remote);
    expect(b.threads().size).toBe(0);
    a.forget();
    await a.sync(remote);
    expect(a.text()).toContain("beta");
  });

  test("is taken back, and what was said in it on both machines stays here as two private threads", async () => {
    const [a, b] = [machine(), machine()];
    const id = await a.begin("alpha");
    await a.sync(remote);
    await b.sync(remote);
    await b.say(id, "on b");
    await b.sync(remote);
    await a.say(id, "on a");
    await a.store.change(id, { private: true });
    await a.sync(remote);
    expect(a.threads().size).toBe(2);
    for (const each of a.threads().keys()) expect(a.store.load(each).facts.private).toBe(true);
    expect(await server.ids()).toEqual([]);
  });
});

describe("who may see a thread on the server", () => {
  test("is what was said last on any machine, also where it was taken back", async () => {
    const [a, b] = [machine(), machine()];
    const id = await a.begin("alpha");
    await a.store.change(id, { visibility: "public" });
    await a.sync(remote);
    expect(await server.visibility(id)).toBe("public");
    await b.sync(remote);
    await b.store.change(id, { visibility: "private" });
    await b.sync(remote);
    expect(await server.visibility(id)).toBe("private");
    await a.sync(remote);
    expect(await server.visibility(id)).toBe("private");
    await a.store.change(id, { visibility: "public" });
    await a.say(id, "beta");
    await a.sync(remote);
    expect(await server.visibility(id)).toBe("public");
    expect(a.syncWith(remote).status()).toMatchObject({ pending: 0 });
  });

  test("is asked for again where the server could not be asked", async () => {
    const a = machine();
    const id = await a.begin("alpha");
    await a.store.change(id, { visibility: "public" });
    const failing: ThreadRemote = {
      ...remote,
      setVisibility: async () => {
        throw new RemoteError("server", "The server is away.");
      },
    };
    expect(await a.sync(failing)).toMatchObject({ type: "failed" });
    expect(await server.visibility(id)).toBe("private");
    await a.sync(remote);
    expect(await server.visibility(id)).toBe("public");
  });

  test("stays narrower where that was said on the server, also when this machine has forgotten all", async () => {
    const a = machine();
    const id = await a.begin("alpha");
    await a.store.change(id, { visibility: "public" });
    await a.sync(remote);
    await server.client.setVisibility(id, { visibility: "private" });
    a.forget();
    await a.sync(remote);
    await a.say(id, "beta");
    await a.sync(remote);
    expect(await server.visibility(id)).toBe("private");
  });

  test("is nobody but its owner for a copy, until that is asked for", async () => {
    const a = machine();
    const id = await a.begin("alpha");
    await a.store.change(id, { visibility: "public" });
    const copy = a.store.fork(id);
    await a.sync(remote);
    expect(await server.visibility(copy)).toBe("private");
    await a.store.change(copy, { visibility: "public" });
    await a.sync(remote);
    expect(await server.visibility(copy)).toBe("public");
  });

  test("becomes less behind a record that the server does not take, and not more", async () => {
    const a = machine();
    const short: ThreadRemote = { ...remote, maxRecordBytes: 50_000 };
    const id = await a.begin("alpha");
    await a.store.change(id, { visibility: "public" });
    await a.sync(short);
    await a.say(id, "y".repeat(60_000));
    await a.store.change(id, { visibility: "private" });
    await a.sync(short);
    expect(await server.visibility(id)).toBe("private");
    await a.store.change(id, { visibility: "public" });
    await a.sync(short);
    expect(await server.visibility(id)).toBe("private");
  });

  test("is told once where the server will not have it so", async () => {
    const a = machine();
    const id = await a.begin("alpha");
    await a.store.change(id, { visibility: "organization" });
    expect(await a.sync(remote)).toMatchObject({ type: "done", settled: 1, failed: 0 });
    expect(a.syncWith(remote).takeNotices()).toEqual([expect.stringMatching(/not make .* visible .*organization/)]);
    await a.say(id, "beta");
    await a.sync(remote);
    expect(a.syncWith(remote).takeNotices()).toEqual([]);
    expect(a.syncWith(remote).status()).toMatchObject({ pending: 0 });
  });
});

describe("a thread that is open in a session", () => {
  test("goes up while it is written, and is not touched until the session is over", async () => {
    const [a, b] = [machine(), machine()];
    const id = await a.begin("alpha");
    await a.sync(remote);
    await b.sync(remote);
    await b.say(id, "on b");
    await b.sync(remote);
    const { writer } = a.store.open(id);
    const before = a.threads();
    expect(await a.sync(remote)).toMatchObject({ type: "done", open: 1 });
    expect(a.threads()).toEqual(before);
    await writer.close();
    expect(await a.sync(remote)).toMatchObject({ type: "done", open: 0 });
    expect(a.threads()).toEqual(b.threads());
  });
});

test("while another process of this machine syncs, nothing is done twice", async () => {
  const a = machine();
  await a.begin("alpha");
  const lease = askForLease(a.stateDirectory, "sync");
  if (!("release" in lease)) throw new Error("somebody has it");
  expect(await a.sync(remote)).toMatchObject({ type: "busy", holder: { pid: process.pid } });
  expect(await server.ids()).toEqual([]);
  lease.release();
  expect(await a.sync(remote)).toMatchObject({ type: "done", settled: 1 });
});

describe("a server that", () => {
  test("has lost its last second gets it again", async () => {
    const [a, b] = [machine(), machine()];
    const id = await a.begin("alpha");
    await a.sync(remote);
    const older = server.snapshot();
    await a.say(id, "beta");
    const lost = await a.begin("gamma");
    await a.sync(remote);
    const records = await server.records(id);
    server = await server.restart(older);
    ({ remote } = server);
    expect((await server.records(id)).length).toBeLessThan(records.length);
    await a.say(id, "delta");
    await a.sync(remote);
    expect((await server.records(id)).slice(0, records.length)).toEqual(records);
    await b.sync(remote);
    expect(b.threads()).toEqual(a.threads());
    expect(b.text()).toContain("delta");
    expect([...b.threads().keys()]).toContain(lost);
  });

  test("has forgotten threads that it had told of gets them again", async () => {
    const a = machine();
    const empty = server.snapshot();
    const ids = [await a.begin("alpha"), await a.begin("beta")];
    for (let round = 0; round < 2; round++) await a.sync(remote);
    server = await server.restart(empty);
    ({ remote } = server);
    await a.sync(remote);
    expect(await server.ids()).toEqual(ids.sort());
  });

  test("fails for an hour is asked again later and later, and nothing is lost", async () => {
    let clock = Date.parse("2026-11-20T10:00:00Z");
    const a = machine(() => clock);
    const id = await a.begin("alpha");
    let asked = 0;
    const failing = createServer((_, response) => {
      asked += 1;
      const problem = {
        type: "about:blank",
        title: "Broken",
        status: 500,
        detail: "The disk of the server is broken.",
      };
      response.writeHead(500, { "content-type": "application/problem+json" });
      response.end(JSON.stringify({ ...problem, code: "internal", retryable: false, instance: "req-1" }));
    });
    await new Promise<void>((resolve) => failing.listen(0, "127.0.0.1", resolve));
    const { port } = failing.address() as AddressInfo;
    const client = createThreadsClient({ baseUrl: `http://127.0.0.1:${port}`, token: () => "t" });
    for (const end = clock + 3_600_000; clock < end; clock += 5_000)
      await a.sync(serverRemote(client), { hurry: false });
    client.close();
    failing.close();
    expect(asked).toBeGreaterThan(5);
    expect(asked).toBeLessThan(20);
    expect(a.syncWith(remote).status()).toMatchObject({
      pending: 1,
      failure: { count: asked, message: "The disk of the server is broken." },
    });
    clock += 16 * 60_000;
    expect(await a.sync(remote, { hurry: false })).toMatchObject({ type: "done", settled: 1 });
    expect(await server.ids()).toEqual([id]);
    expect(a.syncWith(remote).status()).not.toHaveProperty("failure");
  });

  test("is not there is named, with when it is asked again", async () => {
    const a = machine(() => Date.parse("2026-11-20T10:00:00Z"));
    await a.begin("alpha");
    const gone = createThreadsClient({ baseUrl: "http://127.0.0.1:9", token: () => "t" });
    expect(await a.sync(serverRemote(gone))).toMatchObject({
      type: "failed",
      failure: { count: 1, message: expect.stringContaining("http://127.0.0.1:9 refused the connection") },
    });
    expect(await a.sync(serverRemote(gone), { hurry: false })).toMatchObject({ type: "waiting" });
    gone.close();
  });

  test("takes a thread with records of many megabytes, and gives it back", async () => {
    const [a, b] = [machine(), machine()];
    const id = await a.begin('"\\'.repeat(2_500_000));
    expect(await a.sync(remote)).toMatchObject({ type: "done", settled: 1, failed: 0 });
    await b.sync(remote);
    expect(b.threads()).toEqual(a.threads());
    expect(a.syncWith(remote).status()).toMatchObject({ pending: 0, tooLong: [] });
    expect([...b.threads().keys()]).toEqual([id]);
  });

  test("takes no record that long gets what stands in front of it, is not asked again, and says so once", async () => {
    const [a, b] = [machine(), machine()];
    const short: ThreadRemote = { ...remote, maxRecordBytes: 50_000 };
    const id = await a.begin("alpha");
    const other = await a.begin("beta");
    await a.sync(short);
    await a.say(id, "y".repeat(60_000));
    await a.say(id, "gamma");
    expect(await a.sync(short)).toMatchObject({ type: "done", settled: 1, failed: 0 });
    const { tooLong, pending, failures } = a.syncWith(short).status();
    expect([pending, failures, tooLong.length, tooLong[0]?.id]).toEqual([0, [], 1, id]);
    expect((await server.records(id)).length).toBe((tooLong[0]?.record ?? 0) - 1);
    // Also what is added behind it is no reason to ask.
    await a.say(id, "delta");
    const puts: unknown[] = [];
    const watched: ThreadRemote = {
      ...short,
      append: (...args) => {
        puts.push(args);
        return short.append(...args);
      },
    };
    for (let round = 0; round < 3; round++) await a.sync(watched);
    expect(puts).toEqual([]);
    await b.sync(short);
    expect([...b.threads().keys()].sort()).toEqual([id, other].sort());
    // Continued there, it becomes two here, and nothing is lost.
    await b.say(id, "on b");
    await b.sync(short);
    await a.sync(short);
    expect(a.text()).toContain("done with on b");
    for (const words of ["gamma", "delta"]) expect(a.text()).toContain(`done with ${words}`);
    // A server that takes longer ones gets the rest.
    for (const each of [a, b]) await each.sync(remote);
    expect(b.text()).toContain("done with delta");
    expect(a.syncWith(remote).status()).toMatchObject({ pending: 0, tooLong: [] });
  });

  test("takes no output that long gets the rest, and the person is told once", async () => {
    const [a, b] = [machine(), machine()];
    const short: ThreadRemote = { ...remote, maxOutputBytes: 100_000 };
    const id = await a.begin("alpha", { output: "a long line of output\n".repeat(20_000) });
    expect(await a.sync(short)).toMatchObject({ type: "done", settled: 1, failed: 0 });
    const notices = a.syncWith(short).takeNotices();
    expect(notices).toEqual([expect.stringMatching(/^An output of thread T-.* MB long, .* takes 0\.1 MB: it stays/)]);
    await a.say(id, "beta");
    await a.sync(short);
    expect(a.syncWith(short).takeNotices()).toEqual([]);
    await b.sync(short);
    expect(b.textOf(id)).toContain("done with beta");
  });

  test("will not take one thread takes the others, and is asked again when the thread is another, or after a day", async () => {
    let clock = Date.parse("2026-11-20T10:00:00Z");
    const a = machine(() => clock);
    const id = await a.begin("alpha");
    const other = await a.begin("beta");
    let asked = 0;
    const refusing: ThreadRemote = {
      ...remote,
      create: async (each, records, call) => {
        if (each !== id) return remote.create(each, records, call);
        asked += 1;
        throw new RemoteError("refused", "The server does not like it.");
      },
    };
    const sync = () => a.sync(refusing, { hurry: false });
    expect(await sync()).toMatchObject({ type: "done", settled: 1, failed: 1 });
    expect(await server.ids()).toEqual([other]);
    expect(a.syncWith(refusing).status()).toMatchObject({
      pending: 1,
      failures: [{ id, failure: { count: 1, message: "The server does not like it." } }],
    });
    for (let hour = 0; hour < 23; hour++, clock += 3_600_000) await sync();
    expect(asked).toBe(1);
    clock += 3_600_000;
    await sync();
    expect(asked).toBe(2);
    await a.say(id, "gamma");
    await sync();
    await sync();
    expect(asked).toBe(3);
  });
});
