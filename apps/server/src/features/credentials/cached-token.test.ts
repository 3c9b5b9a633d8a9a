import { Secret } from "@loom/config";
import { beforeEach, describe, expect, test } from "vitest";
import { CachedToken } from "./cached-token.ts";
import { TokenRefused } from "./token-refused.ts";
import type { AccessToken } from "./token-source.ts";

const MINUTE = 60_000;

let now: number;
/** How far the calendar is ahead. */
let ahead: number;
let fetches: { resolve(token: AccessToken): void; reject(error: Error): void }[];
let refusals: string[];
let fresh: number;

beforeEach(() => {
  now = 1_000_000;
  ahead = 0;
  fetches = [];
  refusals = [];
  fresh = 0;
});

const token = (value: string, lifetimeMs: number): AccessToken => ({
  value: new Secret(value),
  expiresAtMs: now + ahead + lifetimeMs,
});

function cached(known?: AccessToken): CachedToken {
  return new CachedToken({
    source: { token: () => new Promise((resolve, reject) => fetches.push({ resolve, reject })) },
    known,
    clock: { wall: () => now + ahead, monotonic: () => now },
    headersOf: ({ value }) => ({ authorization: value.expose() }),
    onFresh: () => {
      fresh += 1;
    },
    onRefused: (reason) => refusals.push(reason),
  });
}

describe("a token", () => {
  test("that lasts is given at once", () => {
    expect(cached(token("old", 10 * MINUTE)).headers()).toEqual({ authorization: "old" });
    expect(fetches).toHaveLength(0);
  });

  test("that ends is fetched once for all who wait", async () => {
    const source = cached(token("old", 0));
    const waiting = [source.headers(), source.headers(), source.headers()];
    expect(fetches).toHaveLength(1);
    fetches[0]?.resolve(token("new", 60 * MINUTE));
    expect(await Promise.all(waiting)).toEqual(Array(3).fill({ authorization: "new" }));
    expect(source.headers()).toEqual({ authorization: "new" });
    expect(fresh).toBe(1);
  });

  test("that is about to end is used where there is no other", async () => {
    const source = cached(token("old", 10_000));
    const waiting = source.headers();
    fetches[0]?.reject(new Error("no network"));
    expect(await waiting).toEqual({ authorization: "old" });
    now += 10_000;
    const late = source.headers();
    fetches[1]?.reject(new Error("no network"));
    await expect(late).rejects.toThrow("no network");
  });

  test("is fetched a quarter of an hour before its end, or after half of a short life", async () => {
    const source = cached(token("old", 20 * MINUTE));
    await source.refreshAhead();
    expect(fetches).toHaveLength(0);
    now += 5 * MINUTE;
    const refreshing = source.refreshAhead();
    expect(source.headers()).toEqual({ authorization: "old" });
    fetches[0]?.resolve(token("short", 10 * MINUTE));
    await refreshing;
    expect(source.headers()).toEqual({ authorization: "short" });
    await source.refreshAhead();
    now += 5 * MINUTE;
    void source.refreshAhead();
    expect(fetches).toHaveLength(2);
  });
});

describe("the time that a token is good for", () => {
  async function fetched(lifetimeMs: number, known?: AccessToken): Promise<CachedToken> {
    const source = cached(known);
    const waiting = source.headers();
    fetches[0]?.resolve(token("new", lifetimeMs));
    await waiting;
    return source;
  }

  test("is not longer because the clock was ahead when it came", async () => {
    ahead = 600 * MINUTE;
    const source = await fetched(60 * MINUTE);
    ahead = 0;
    now += 44 * MINUTE;
    await source.refreshAhead();
    expect(source.headers()).toEqual({ authorization: "new" });
    now += 15.6 * MINUTE;
    void source.headers();
    expect(fetches).toHaveLength(2);
  });

  test("is not longer either where it was known from before", () => {
    ahead = 600 * MINUTE;
    const source = cached(token("old", 60 * MINUTE));
    ahead = 0;
    now += 60 * MINUTE;
    void source.headers();
    expect(fetches).toHaveLength(1);
  });

  test("is over when the calendar says so, though the machine has slept", async () => {
    const source = await fetched(60 * MINUTE);
    ahead = 60 * MINUTE;
    void source.headers();
    expect(fetches).toHaveLength(2);
  });

  test.each([
    ["twenty seconds", 20_000, 10_000],
    ["no time at all", 0, 500],
  ])("is used to its half where it is %s", async (_name, lifetimeMs, halfMs) => {
    const source = await fetched(lifetimeMs);
    now += halfMs - 1;
    for (let index = 0; index < 50; index += 1) expect(source.headers()).toEqual({ authorization: "new" });
    expect(fetches).toHaveLength(1);
    now += 1;
    void source.headers();
    expect(fetches).toHaveLength(2);
  });
});

describe("when none can be had", () => {
  test("it is asked for again after a pause that grows", async () => {
    const source = cached();
    for (const pauseMs of [1_000, 2_000, 4_000]) {
      const asked = fetches.length;
      const waiting = source.headers();
      expect(fetches).toHaveLength(asked + 1);
      fetches.at(-1)?.reject(new Error("no network"));
      await expect(waiting).rejects.toThrow("no network");
      now += pauseMs - 1;
      await expect(source.headers()).rejects.toThrow("no network");
      expect(fetches).toHaveLength(asked + 1);
      now += 1;
    }
    expect(refusals).toEqual([]);
  });

  test("and never will be, that is said", async () => {
    const source = cached();
    const waiting = source.headers();
    fetches[0]?.reject(new TokenRefused("Sign in again."));
    await expect(waiting).rejects.toThrow("Sign in again.");
    expect(refusals).toEqual(["Sign in again."]);
  });
});

test("one that the provider refuses is fetched anew, but not again and again", async () => {
  const source = cached(token("revoked", 60 * MINUTE));
  expect(source.refused()).toBe(true);
  const waiting = source.headers();
  // The second of two requests that were refused together.
  expect(source.refused()).toBe(true);
  fetches[0]?.resolve(token("new", 60 * MINUTE));
  expect(await waiting).toEqual({ authorization: "new" });
  expect(source.refused()).toBe(false);
  now += 2 * MINUTE;
  expect(source.refused()).toBe(true);
});
