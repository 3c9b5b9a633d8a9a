import { beforeEach, describe, expect, test } from "vitest";
import type { RouteStep, StepOutcome } from "../../gateway-types.ts";
import { BREAKER_OPTIONS } from "./breaker.ts";
import { BreakerBoard } from "./breaker-board.ts";

const { backoffMs, failuresInARow, maxBackoffMs, minimum, windowMs } = BREAKER_OPTIONS;
const STEP: RouteStep = { upstream: "anthropic", model: "claude-x", reason: "" };
const OTHER: RouteStep = { ...STEP, model: "claude-y" };

let now: number;
let board: BreakerBoard;
beforeEach(() => {
  now = 1_000;
  board = new BreakerBoard(() => now);
});

function failure(code: "overloaded" | "network" | "timeout" | "invalid_request" | "rate_limited", status?: number) {
  return { code, message: "", retryable: true, ...(status === undefined ? {} : { status }) };
}

const OVERLOADED: StepOutcome = { type: "failed", failure: failure("overloaded", 529), reached: true };
const UNREACHABLE: StepOutcome = { type: "failed", failure: failure("network"), reached: false };

function report(outcome: StepOutcome, times = 1, step = STEP): void {
  for (let count = 0; count < times; count += 1) board.report(step, outcome);
}

describe("a breaker", () => {
  test("opens after failures in a row, and a success in between begins anew", () => {
    report(OVERLOADED, failuresInARow - 1);
    report({ type: "ok" });
    report(OVERLOADED, failuresInARow - 1);
    expect(board.view(STEP).state).toBe("closed");
    report(OVERLOADED);
    expect(board.view(STEP)).toEqual({ state: "open", opensInMs: backoffMs });
    expect(board.enter(STEP)).toBe(false);
  });

  test("opens where half of many fail, whatever their order", () => {
    for (let count = 0; count < minimum / 2; count += 1) {
      expect(board.view(STEP).state).toBe("closed");
      report(OVERLOADED);
      report({ type: "ok" });
    }
    report(OVERLOADED);
    expect(board.view(STEP).state).toBe("open");
  });

  test("forgets what is longer ago than its window", () => {
    for (let count = 0; count < minimum * 2; count += 1) {
      report(OVERLOADED);
      report({ type: "ok" });
      now += windowMs / 4;
    }
    expect(board.view(STEP).state).toBe("closed");
  });

  test("lets one request through after a while, and closes when that one gets an answer", () => {
    report(OVERLOADED, failuresInARow);
    now += backoffMs;
    expect(board.view(STEP)).toEqual({ state: "half_open", opensInMs: 0 });
    expect(board.enter(STEP)).toBe(true);
    expect(board.enter(STEP)).toBe(false);
    report({ type: "alive" });
    expect(board.view(STEP).state).toBe("closed");
    expect(board.enter(STEP)).toBe(true);
  });

  test("stays open twice as long each time that one fails, up to a bound", () => {
    report(OVERLOADED, failuresInARow);
    let expected = backoffMs;
    for (let count = 0; count < 10; count += 1) {
      expect(board.view(STEP).opensInMs).toBe(expected);
      now += expected;
      expect(board.enter(STEP)).toBe(true);
      report(OVERLOADED);
      expected = Math.min(expected * 2, maxBackoffMs);
    }
    expect(expected).toBe(maxBackoffMs);
  });

  test("tries with another where the one that was let through says nothing", () => {
    report(OVERLOADED, failuresInARow);
    now += backoffMs;
    for (const outcome of [
      { type: "cancelled" },
      { type: "failed", failure: failure("rate_limited", 429), reached: true },
    ] as const) {
      expect(board.enter(STEP)).toBe(true);
      report(outcome);
      expect(board.view(STEP)).toEqual({ state: "half_open", opensInMs: 0 });
    }
  });

  test("is of one model, but for connections, which are of the upstream", () => {
    report(OVERLOADED, failuresInARow);
    expect(board.view(OTHER).state).toBe("closed");
    expect(board.stateOf("anthropic")).toBe("open");
    expect(board.stateOf("anthropic-2")).toBe("closed");
    report(UNREACHABLE, failuresInARow, OTHER);
    expect(board.view({ ...STEP, model: "claude-z" }).state).toBe("open");
  });

  test("counts nothing that a client, a key or a limit is to blame for", () => {
    for (const code of ["invalid_request", "rate_limited"] as const) {
      report({ type: "failed", failure: failure(code, 400), reached: true }, 100);
    }
    report({ type: "failed", failure: failure("timeout", 408), reached: true }, 100);
    report({ type: "cancelled" }, 100);
    expect(board.view(STEP).state).toBe("closed");
  });
});

test("however many models are named, only so many breakers are kept", () => {
  for (let count = 0; count < 3_000; count += 1) {
    report(OVERLOADED, 1, { ...STEP, model: `m-${count}` });
  }
  report(OVERLOADED, failuresInARow);
  expect(board.view(STEP).state).toBe("open");
});
