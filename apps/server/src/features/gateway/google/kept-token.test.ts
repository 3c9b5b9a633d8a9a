import { Secret } from "@loom/config";
import { expect, test } from "vitest";
import type { AccessToken } from "../../credentials/token-source.ts";
import { KeptToken } from "./kept-token.ts";

const HOUR_MS = 3_600_000;

/** A source whose answers are given by hand, and a clock that stands still. `aheadMs`: how far its calendar is ahead. */
function setUp() {
  const clock = { nowMs: 1_000_000, aheadMs: 0 };
  const wall = () => clock.nowMs + clock.aheadMs;
  const waiting: PromiseWithResolvers<AccessToken>[] = [];
  const source = {
    token() {
      const asked = Promise.withResolvers<AccessToken>();
      waiting.push(asked);
      return asked.promise;
    },
  };
  const kept = new KeptToken(source, { wall, monotonic: () => clock.nowMs });
  const grant = (name: string, lifetimeMs = HOUR_MS): void =>
    waiting.at(-1)?.resolve({ value: new Secret(name), expiresAtMs: wall() + lifetimeMs });
  return { clock, kept, waiting, grant };
}

async function nameOf(token: Secret | Promise<Secret>): Promise<string> {
  return (await token).expose();
}

test("fifty who ask at once wait for one answer, and those after them for none", async () => {
  const { kept, waiting, grant } = setUp();
  const asked = Array.from({ length: 50 }, () => kept.current());
  expect(waiting).toHaveLength(1);
  grant("first");
  expect(new Set(await Promise.all(asked.map(nameOf)))).toEqual(new Set(["first"]));
  expect(kept.current()).toBeInstanceOf(Secret);
  expect(waiting).toHaveLength(1);
});

test("a token near its end is still used while the next one is on its way", async () => {
  const { kept, clock, waiting, grant } = setUp();
  const first = kept.current();
  grant("first");
  await first;
  clock.nowMs += HOUR_MS - 240_000;
  expect(await nameOf(kept.current())).toBe("first");
  expect(await nameOf(kept.current())).toBe("first");
  expect(waiting).toHaveLength(2);
  grant("second");
  await waiting[1]?.promise;
  expect(await nameOf(kept.current())).toBe("second");
});

test("a refresh that fails is tried again, not at once, and is nobody's failure while the token is good", async () => {
  const { kept, clock, waiting, grant } = setUp();
  const first = kept.current();
  grant("first");
  await first;
  clock.nowMs += HOUR_MS - 240_000;
  kept.current();
  waiting[1]?.reject(new Error("no"));
  await waiting[1]?.promise.catch(() => undefined);
  expect(await nameOf(kept.current())).toBe("first");
  expect(waiting).toHaveLength(2);
  clock.nowMs += 20_000;
  expect(await nameOf(kept.current())).toBe("first");
  expect(waiting).toHaveLength(3);
});

test("a token that is over, or was refused, is waited for", async () => {
  const { kept, clock, waiting, grant } = setUp();
  const first = kept.current();
  grant("first");
  const token = await first;
  clock.nowMs += HOUR_MS - 10_000;
  const second = kept.current();
  expect(second).toBeInstanceOf(Promise);
  grant("second");
  expect(await nameOf(second)).toBe("second");
  kept.forget(token);
  expect(kept.current()).toBeInstanceOf(Secret);
  kept.forget(await second);
  expect(kept.current()).toBeInstanceOf(Promise);
  expect(waiting).toHaveLength(3);
});

test("who asks while there is no token hears why, and so do those who come soon behind, for whom nobody is asked", async () => {
  const { kept, clock, waiting, grant } = setUp();
  const asked = Array.from({ length: 50 }, () => kept.current());
  // As long as an endpoint that says nothing is waited for.
  clock.nowMs += 15_000;
  waiting[0]?.reject(new Error("no"));
  for (const each of asked) await expect(each).rejects.toThrow("no");
  clock.nowMs += 1_999;
  for (let index = 0; index < 50; index += 1) await expect(kept.current()).rejects.toThrow("no");
  expect(waiting).toHaveLength(1);
  clock.nowMs += 1;
  const again = kept.current();
  expect(waiting).toHaveLength(2);
  grant("first");
  expect(await nameOf(again)).toBe("first");
});

test("a token that is good for less than it is replaced ahead of its end is used for half of its time", async () => {
  const { kept, clock, waiting, grant } = setUp();
  const first = kept.current();
  grant("first", 20_000);
  await first;
  clock.nowMs += 9_999;
  for (let index = 0; index < 50; index += 1) expect(await nameOf(kept.current())).toBe("first");
  expect(waiting).toHaveLength(1);
  clock.nowMs += 1;
  const second = kept.current();
  expect(waiting).toHaveLength(2);
  grant("second", 0);
  await second;
  expect(await nameOf(kept.current())).toBe("second");
  expect(waiting).toHaveLength(2);
});

test("a token is good for no longer because the clock was ahead when it came", async () => {
  const { kept, clock, waiting, grant } = setUp();
  clock.aheadMs = 10 * HOUR_MS;
  const first = kept.current();
  grant("first");
  await first;
  clock.aheadMs = 0;
  clock.nowMs += HOUR_MS - 1_000;
  expect(kept.current()).toBeInstanceOf(Promise);
  expect(waiting).toHaveLength(2);
});
