import type { LlmErrorCode } from "@loom/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CredentialLease, CredentialOutcome } from "../../gateway-types.ts";
import { CredentialPool, type Selection } from "./credential-pool.ts";
import { GOOD_STANDING, PoolMember } from "./pool-member.ts";

const UPSTREAM = "anthropic";
const OK: CredentialOutcome = { type: "ok" };

function failed(code: LlmErrorCode, retryAfterMs?: number, quotaExhausted = false): CredentialOutcome {
  const failure = { code, message: "No.", retryable: true, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  return { type: "failed", failure, quotaExhausted };
}

function testPool(weights: readonly number[], selection: Selection = "round-robin") {
  const clock = { now: 1_000 };
  const troubled: string[] = [];
  const pool = new CredentialPool({
    clock: { wall: () => 1_700_000_000_000 + clock.now, monotonic: () => clock.now },
    selectionOf: () => selection,
    onTrouble: ({ id }) => void troubled.push(id),
  });
  const members = weights.map((weight, index) => {
    const source = { headers: () => ({}), refused: () => false };
    const member = new PoolMember({ id: `c${index}`, upstream: UPSTREAM, weight, source });
    pool.add(member, GOOD_STANDING);
    return member;
  });
  const lease = (affinity?: string): CredentialLease | undefined =>
    pool.lease(UPSTREAM, affinity === undefined ? {} : { affinity });
  return { clock, pool, members, lease, troubled };
}

const outcome: fc.Arbitrary<CredentialOutcome> = fc.oneof(
  fc.constant(OK),
  fc.constant<CredentialOutcome>({ type: "cancelled" }),
  fc
    .tuple(
      fc.constantFrom<LlmErrorCode>(
        "unauthorized",
        "rate_limited",
        "budget_exceeded",
        "overloaded",
        "network",
        "timeout",
        "invalid_request",
        "unknown_model",
      ),
      fc.option(fc.integer({ min: 0, max: 10_000 }), { nil: undefined }),
      fc.boolean(),
    )
    .map(([code, retryAfterMs, quota]) => failed(code, retryAfterMs, quota)),
);

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("lease" as const), session: fc.option(fc.nat(5)) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("report" as const), pick: fc.nat(50), outcome }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 9_000_000 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("enable" as const), pick: fc.nat(50) }) },
);

/** What the pool should know of a credential, kept by a simpler hand. */
type Model = { disabled: boolean; coolUntil: number };

test("whatever is reported and however time passes, what is disabled or cools down is never leased, and the rest always", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 }),
      fc.constantFrom<Selection>("round-robin", "least-loaded"),
      fc.array(step, { maxLength: 120, size: "max" }),
      (weights, selection, steps) => {
        const { clock, pool, members, lease } = testPool(weights, selection);
        const models = new Map(members.map(({ id }): [string, Model] => [id, { disabled: false, coolUntil: 0 }]));
        const open: CredentialLease[] = [];
        for (const op of steps) {
          switch (op.do) {
            case "lease": {
              const got = lease(op.session === null ? undefined : `session-${op.session}`);
              const usable = [...models].filter(([, model]) => !model.disabled && model.coolUntil <= clock.now);
              expect(got === undefined).toBe(usable.length === 0);
              if (got === undefined) break;
              expect(usable.map(([id]) => id)).toContain(got.credentialId);
              open.push(got);
              break;
            }
            case "report": {
              const [one] = open.splice(op.pick % Math.max(1, open.length), 1);
              if (one === undefined) break;
              one.report(op.outcome);
              one.report(failed("unauthorized"));
              blame(models.get(one.credentialId), op.outcome, clock.now);
              break;
            }
            case "pass":
              clock.now += op.ms;
              break;
            case "enable": {
              const member = members[op.pick % members.length];
              if (member === undefined) break;
              pool.place(member, GOOD_STANDING);
              models.set(member.id, { disabled: false, coolUntil: 0 });
            }
          }
          const health = pool.health(UPSTREAM);
          const all = [...models.values()];
          const cooling = all.filter((model) => !model.disabled && model.coolUntil > clock.now);
          expect(health.disabled).toBe(all.filter(({ disabled }) => disabled).length);
          expect(health.coolingDown).toBe(cooling.length);
          expect(health.available).toBe(all.length - health.disabled - cooling.length);
          const soonest = Math.min(...cooling.map(({ coolUntil }) => coolUntil - clock.now));
          expect(health.retryAfterMs).toBe(cooling.length === 0 ? undefined : soonest);
          expect(members.reduce((sum, { inFlight }) => sum + inFlight, 0)).toBe(open.length);
        }
      },
    ),
    { numRuns: 300 },
  );
});

function blame(model: Model | undefined, outcome: CredentialOutcome, now: number): void {
  if (model === undefined || model.disabled || outcome.type !== "failed") return;
  const { code, retryAfterMs } = outcome.failure;
  if (code === "unauthorized") model.disabled = true;
  else if (outcome.quotaExhausted || code === "budget_exceeded") {
    model.coolUntil = Math.max(model.coolUntil, now + (retryAfterMs ?? 7_200_000));
  } else if (code === "rate_limited" && retryAfterMs !== undefined) {
    model.coolUntil = Math.max(model.coolUntil, now + retryAfterMs);
  }
}

describe("in turn", () => {
  test("everybody gets a share by weight, exactly, in every round", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }), (weights) => {
        const { lease } = testPool(weights);
        const round = weights.reduce((sum, weight) => sum + weight, 0);
        for (let number = 0; number < 3; number += 1) {
          const counts = new Map<string, number>();
          for (let each = 0; each < round; each += 1) {
            const id = lease()?.credentialId ?? "";
            counts.set(id, (counts.get(id) ?? 0) + 1);
          }
          expect(weights.map((_, index) => counts.get(`c${index}`))).toEqual(weights);
        }
      }),
    );
  });
});

describe("least loaded", () => {
  test("nobody has more than one request in flight more than the others", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.array(fc.boolean(), { maxLength: 60 }), (size, takes) => {
        const { lease, members } = testPool(Array(size).fill(1), "least-loaded");
        for (const _ of takes) {
          lease();
          const loads = members.map(({ inFlight }) => inFlight);
          expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  test("with equal loads, it goes in turn", () => {
    const { lease } = testPool([1, 1, 1], "least-loaded");
    const ids = Array.from({ length: 6 }, () => {
      const one = lease();
      one?.report(OK);
      return one?.credentialId;
    });
    expect(new Set(ids.slice(0, 3)).size).toBe(3);
    expect(ids.slice(3)).toEqual(ids.slice(0, 3));
  });
});

describe("a session", () => {
  const sessions = Array.from({ length: 400 }, (_, index) => `owner:session-${index}`);
  const placeAll = (lease: (affinity: string) => CredentialLease | undefined) =>
    new Map(
      sessions.map((session) => {
        const one = lease(session);
        one?.report(OK);
        return [session, one?.credentialId];
      }),
    );

  test("stays where it is, and moves only when its own credential is out", () => {
    const { lease, pool, members, clock } = testPool([1, 1, 1, 1]);
    const before = placeAll(lease);
    expect(placeAll(lease)).toEqual(before);
    const [out] = members;
    if (out === undefined) throw new Error("no member");
    pool.judge(out, failed("rate_limited", 5_000));
    const during = placeAll(lease);
    for (const session of sessions) {
      if (before.get(session) === out.id) expect(during.get(session)).not.toBe(out.id);
      else expect(during.get(session)).toBe(before.get(session));
    }
    clock.now += 5_000;
    expect(placeAll(lease)).toEqual(before);
  });

  test("is one of many that are spread by weight", () => {
    const { lease } = testPool([1, 1, 2]);
    const counts = { c0: 0, c1: 0, c2: 0 } as Record<string, number>;
    for (const id of placeAll(lease).values()) counts[id ?? ""] = (counts[id ?? ""] ?? 0) + 1;
    for (const [id, share] of [
      ["c0", 100],
      ["c1", 100],
      ["c2", 200],
    ] as const) {
      expect(counts[id]).toBeGreaterThan(share * 0.7);
      expect(counts[id]).toBeLessThan(share * 1.3);
    }
  });
});

describe("failures that may be anybody's", () => {
  test("put others first for a while that grows, and success ends it", () => {
    const { lease, members, clock } = testPool([1, 1]);
    const [bad] = members;
    const fail = (): void => {
      for (let each = 0; each < 2; each += 1) {
        const one = lease();
        one?.report(one.credentialId === bad?.id ? failed("overloaded") : OK);
      }
    };
    fail();
    expect(bad?.restUntil).toBe(0);
    fail();
    expect(bad?.restUntil).toBe(clock.now + 1_000);
    expect([lease()?.credentialId, lease()?.credentialId]).toEqual(["c1", "c1"]);
    clock.now += 1_000;
    fail();
    expect(bad?.restUntil).toBe(clock.now + 2_000);
    clock.now += 2_000;
    for (let each = 0; each < 2; each += 1) lease()?.report(OK);
    fail();
    expect(bad?.failures).toBe(1);
  });

  test("refuse nobody where all have them", () => {
    const { lease, pool, troubled } = testPool([1, 1]);
    for (let each = 0; each < 50; each += 1) lease()?.report(failed("overloaded"));
    expect(lease()).toBeDefined();
    expect(pool.health(UPSTREAM)).toEqual({ available: 2, coolingDown: 0, disabled: 0 });
    expect(troubled).toEqual([]);
  });
});

test("a report about a key that has been replaced since does no harm to the new one", () => {
  const { lease, members, pool } = testPool([1]);
  const one = lease();
  const [member] = members;
  if (member === undefined) throw new Error("no member");
  member.generation += 1;
  one?.report(failed("unauthorized"));
  expect(pool.health(UPSTREAM).available).toBe(1);
  expect(member.inFlight).toBe(0);
});
