import { describe, expect, test } from "vitest";
import type { CredentialLease, Credentials, RouteStep } from "../../gateway-types.ts";
import { Attempts, type AttemptsOptions } from "./attempts.ts";

const STEPS: readonly RouteStep[] = ["a", "b", "c"].map((upstream) => ({ upstream, model: "m", reason: "route" }));

function leaseOf(credentialId: string): CredentialLease {
  return { credentialId, headers: () => ({}), report: () => {} };
}

/** So many credentials for every upstream. */
function credentialsWith(count: number): Credentials {
  return {
    lease(upstream, { exclude = [] }) {
      const ids = Array.from({ length: count }, (_, index) => `${upstream}-${index}`);
      const id = ids.find((each) => !exclude.includes(each));
      return id === undefined ? undefined : leaseOf(id);
    },
    health: () => ({ available: 0, coolingDown: 1, disabled: 0 }),
  };
}

function attemptsOn(steps: readonly RouteStep[], options: Partial<AttemptsOptions> = {}): Attempts {
  const full = {
    credentials: credentialsWith(1),
    routing: { enter: () => true },
    affinity: undefined,
    idempotent: false,
  };
  return new Attempts({ ok: true, steps }, { ...full, ...options });
}

function failure(code: "network" | "rate_limited" | "overloaded") {
  return { code, message: code, retryable: true };
}

/** Fails every attempt in the same way; says whom that were. */
function runThrough(attempts: Attempts, code: "network" | "rate_limited" | "overloaded", reached: boolean): string[] {
  const asked: string[] = [];
  for (;;) {
    const next = attempts.next();
    if (next.type === "give_up") return asked;
    asked.push(next.lease.credentialId);
    if (!attempts.failed(next.lease, failure(code), { reached })) return asked;
  }
}

describe("attempts", () => {
  test("go through the steps, each once", () => {
    expect(runThrough(attemptsOn(STEPS), "overloaded", true)).toEqual(["a-0", "b-0", "c-0"]);
  });

  test("repeat the last one only where it cannot have seen the request", () => {
    expect(runThrough(attemptsOn(STEPS), "network", true)).toEqual(["a-0", "b-0", "c-0"]);
    expect(runThrough(attemptsOn(STEPS), "network", false)).toEqual(["a-0", "b-0", "c-0", "c-0"]);
    expect(runThrough(attemptsOn(STEPS, { idempotent: true }), "network", true)).toEqual(["a-0", "b-0", "c-0", "c-0"]);
  });

  test("use up credentials before the next step, and not all attempts on the first", () => {
    const few = attemptsOn(STEPS, { credentials: credentialsWith(2) });
    expect(runThrough(few, "rate_limited", true)).toEqual(["a-0", "a-1", "b-0", "b-1", "c-0", "c-1"]);
    const many = attemptsOn(STEPS, { credentials: credentialsWith(9) });
    expect(runThrough(many, "rate_limited", true)).toEqual(["a-0", "a-1", "a-2", "b-0", "b-1", "b-2", "c-0", "c-1"]);
    const alone = attemptsOn(STEPS.slice(0, 1), { credentials: credentialsWith(99) });
    expect(runThrough(alone, "rate_limited", true)).toHaveLength(8);
  });

  test("end when their time is over", () => {
    let now = 0;
    const attempts = attemptsOn(STEPS, { now: () => now });
    const first = attempts.next();
    now = 300_000;
    expect(first.type === "try" && attempts.failed(first.lease, failure("overloaded"), { reached: true })).toBe(false);
    expect(attempts.next()).toMatchObject({ type: "give_up", failure: { code: "overloaded" } });
  });

  test("pass over a step that may not be entered, but for the very last chance", () => {
    const chances: boolean[] = [];
    const enter = (_step: RouteStep, { lastChance }: { readonly lastChance: boolean }): boolean => {
      chances.push(lastChance);
      return lastChance;
    };
    expect(runThrough(attemptsOn(STEPS, { routing: { enter } }), "overloaded", true)).toEqual(["c-0"]);
    expect(chances).toEqual([false, false, true]);
  });

  test("do not count what was withdrawn", () => {
    const attempts = attemptsOn(STEPS);
    attempts.next();
    expect(attempts.withdrawn()).toBe(true);
    expect(attempts.next()).toMatchObject({ type: "try", step: { upstream: "b", reason: "route" } });
    expect(attempts.count).toBe(1);
  });
});
