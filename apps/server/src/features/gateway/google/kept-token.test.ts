import { Secret } from "@loom/config";
import { expect, test } from "vitest";
import type { AccessToken } from "../../credentials/token-source.ts";
import { KeptToken } from "./kept-token.ts";

const HOUR_MS = 3_600_000;

/** A source whose answers are given by hand, and a clock that stands still. */
function setUp() {
  const clock = { nowMs: 1_000_000 };
  const waiting: PromiseWithResolvers<AccessToken>[] = [];
  const source = {
    token() {
      const asked = Promise.withResolvers<AccessToken>();
      waiting.push(asked);
      return asked.promise;
    },
  };
  const kept = new KeptToken(source, () => clock.nowMs);
  const grant = (name: string, lifetimeMs = HOUR_MS): void =>
    waiting.at(-1)?.resolve({ value: new Secret(name), expiresAtMs: clock.nowMs + lifetimeMs });
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

test("who asks while there is no token hears why, and the next one asks again", async () => {
  const { kept, waiting, grant } = setUp();
  const asked = kept.current();
  waiting[0]?.reject(new Error("no"));
  await expect(asked).rejects.toThrow("no");
  const again = kept.current();
  grant("first");
  expect(await nameOf(again)).toBe("first");
});
