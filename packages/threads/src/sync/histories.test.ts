import { conversationProblem, type ThreadId } from "@loom/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { engines } from "../../../../apps/server/src/kit/engines.testing.ts";
import { threadIds } from "../thread-store.ts";
import { Device } from "./device.testing.ts";
import { MemoryRemote } from "./memory-remote.testing.ts";
import { SyncServer } from "./sync-server.testing.ts";
import type { ThreadRemote } from "./thread-sync.ts";

const DEVICES = 3;

type Action = {
  readonly type:
    | "begin"
    | "say"
    | "name"
    | "trash"
    | "restore"
    | "purge"
    | "private"
    | "sync"
    | "forget"
    | "open"
    | "leave";
  readonly device: number;
  /** Which of the threads that it has. */
  readonly thread: number;
  /** The sync is cut off at its request of this number, before it or after the server has done it. */
  readonly cutAt: number;
  readonly cutBefore: boolean;
};

const actions: fc.Arbitrary<readonly Action[]> = fc.array(
  fc.record({
    type: fc.oneof(
      { weight: 2, arbitrary: fc.constant("begin" as const) },
      { weight: 8, arbitrary: fc.constant("say" as const) },
      { weight: 2, arbitrary: fc.constantFrom("name" as const, "trash" as const, "restore" as const) },
      { weight: 8, arbitrary: fc.constant("sync" as const) },
      { weight: 3, arbitrary: fc.constantFrom("purge" as const, "private" as const) },
      { weight: 1, arbitrary: fc.constant("forget" as const) },
      { weight: 2, arbitrary: fc.constantFrom("open" as const, "leave" as const) },
    ),
    device: fc.nat(DEVICES - 1),
    thread: fc.nat(3),
    cutAt: fc.oneof(
      { weight: 1, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 12 }) },
    ),
    cutBefore: fc.boolean(),
  }),
  { minLength: 4, maxLength: 24 },
);

class Cut extends Error {}

/** The server, with a line to it that breaks at request number `at`; 0 = never. */
function cutting(remote: ThreadRemote, { cutAt, cutBefore }: Action): ThreadRemote {
  let requests = 0;
  return new Proxy(remote, {
    get(target, name, receiver) {
      const value = Reflect.get(target, name, receiver);
      if (typeof value !== "function") return value;
      return async (...args: unknown[]) => {
        requests += 1;
        const isCut = cutAt > 0 && requests >= cutAt;
        if (isCut && (cutBefore || requests > cutAt)) throw new Cut();
        const answer = await value.apply(target, args);
        if (isCut) throw new Cut();
        return answer;
      };
    },
  });
}

class History {
  readonly devices = Array.from({ length: DEVICES }, () => new Device());
  readonly remote: ThreadRemote;
  readonly said: string[] = [];
  /** What somebody has removed for good who knew of it. */
  readonly removed = new Set<string>();
  /** What was said in a thread that was to stay on the machine. */
  readonly secret = new Set<string>();
  readonly #open = new Map<Device, { readonly id: ThreadId; close(): Promise<unknown> }>();

  constructor(remote: ThreadRemote) {
    this.remote = remote;
  }

  async perform(action: Action): Promise<void> {
    const device = this.devices[action.device];
    if (device === undefined) throw new Error("there is no such device");
    const ids = threadIds(device.directory).sort();
    const id = ids[action.thread % Math.max(1, ids.length)];
    const words = `words-${this.said.length}-end`;
    const isFree = id !== undefined && this.#open.get(device)?.id !== id;
    switch (action.type) {
      case "begin":
        await device.begin(words);
        this.said.push(words);
        return;
      case "say":
        if (!isFree || device.store.load(id).facts.deletedAt !== undefined) return;
        if (device.store.load(id).facts.private) this.secret.add(words);
        await device.say(id, words);
        this.said.push(words);
        return;
      case "name":
        if (isFree) await device.store.change(id, { title: words });
        return;
      case "trash":
      case "restore":
        if (isFree) await device.store.change(id, { deleted: action.type === "trash" });
        return;
      case "purge": {
        if (!isFree) return;
        const text = device.textOf(id);
        for (const each of this.said) if (text.includes(doneWith(each))) this.removed.add(each);
        device.purge(id);
        return;
      }
      case "private":
        if (isFree) await device.store.change(id, { private: true });
        return;
      case "sync":
        await device.sync(cutting(this.remote, action)).catch((error: unknown) => {
          if (!(error instanceof Cut)) throw error;
        });
        return;
      case "forget":
        device.forget();
        return;
      case "open": {
        if (!isFree || this.#open.has(device) || device.store.load(id).facts.deletedAt !== undefined) return;
        const { writer } = device.store.open(id);
        this.#open.set(device, { id, close: () => writer.close() });
        return;
      }
      case "leave":
        await this.#open.get(device)?.close();
        this.#open.delete(device);
    }
  }

  async settle(): Promise<void> {
    for (const each of this.#open.values()) await each.close();
    for (let round = 0; round < 5; round++) {
      for (const device of this.devices)
        expect(await device.sync(this.remote)).toMatchObject({ type: "done", failed: 0 });
    }
  }

  remove(): void {
    for (const device of this.devices) device.remove();
  }
}

function doneWith(words: string): string {
  return `done with ${words}`;
}

/** What is to be the same on all devices: not what stays on one by the wish of a person, or because others have removed it. */
function shared(device: Device, remote: ThreadRemote): ReadonlyMap<ThreadId, string> {
  const { detached, withdrawn } = device.syncWith(remote).status();
  const own = new Set([...detached, ...withdrawn]);
  return new Map([...device.threads()].filter(([id]) => !own.has(id) && !device.store.load(id).facts.private));
}

/**
 * Fails where something is lost that was said and that nobody has removed, where the devices do not come to be the same, or
 * where the server has what is private.
 */
async function check(
  history: readonly Action[],
  remote: ThreadRemote,
  saidThere: () => string | Promise<string>,
): Promise<void> {
  const world = new History(remote);
  try {
    for (const action of history) await world.perform(action);
    await world.settle();
    const [first, ...others] = world.devices;
    if (first === undefined) throw new Error("there is no device");
    for (const other of others) expect(shared(other, remote)).toEqual(shared(first, remote));
    const text = world.devices.map((device) => device.text()).join("\n");
    const missing = world.said.filter((words) => !world.removed.has(words) && !text.includes(doneWith(words)));
    expect(missing).toEqual([]);
    const there = await saidThere();
    expect([...world.secret].filter((words) => there.includes(doneWith(words)))).toEqual([]);
    for (const device of world.devices) {
      for (const id of threadIds(device.directory)) {
        expect(conversationProblem(device.store.load(id).messages)).toBeUndefined();
      }
      expect(device.syncWith(remote).status()).toMatchObject({ pending: 0, failures: [], tooLong: [] });
      expect(await device.sync(remote)).toMatchObject({ settled: 0 });
    }
  } finally {
    world.remove();
  }
}

describe("three devices, with any interleaving of what is said offline and of syncs that are cut off", () => {
  test.each(engines)(
    "lose nothing that was said and come to have the same threads, on a server with $name",
    async (engine) => {
      const server = await SyncServer.start(await engine.create());
      const property = fc
        .asyncProperty(actions, (history) => check(history, server.remote, () => server.said()))
        .afterEach(() => server.clear());
      try {
        await fc.assert(property, {
          numRuns: Number(process.env.LOOM_HISTORIES ?? (engine.name === "SQLite" ? 20 : 6)),
        });
      } finally {
        await server.stop();
      }
    },
    600_000,
  );

  test("lose nothing and come to have the same threads, by the logic alone", async () => {
    const property = fc.asyncProperty(actions, (history) => {
      const remote = new MemoryRemote();
      return check(history, remote, () => remote.dump());
    });
    await fc.assert(property, { numRuns: Number(process.env.LOOM_HISTORIES ?? 60) });
  }, 600_000);
});
