import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Deadlines } from "./deadlines.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function waiterFor(clock: Deadlines, ms: number) {
  const waiter = {
    deadline: 0,
    place: -1,
    passed: 0,
    onDeadline() {
      waiter.passed += 1;
    },
  };
  clock.add(waiter);
  waiter.deadline = clock.after(ms);
  return waiter;
}

describe("a deadline", () => {
  test("passes once, never early and a little late", () => {
    const clock = new Deadlines(() => Date.now());
    const waiter = waiterFor(clock, 1_000);
    vi.advanceTimersByTime(1_000);
    expect(waiter.passed).toBe(0);
    vi.advanceTimersByTime(200);
    expect(waiter.passed).toBe(1);
    vi.advanceTimersByTime(10_000);
    expect(waiter.passed).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("that is moved on is not noticed", () => {
    const clock = new Deadlines(() => Date.now());
    const waiter = waiterFor(clock, 1_000);
    for (let step = 0; step < 50; step += 1) {
      vi.advanceTimersByTime(500);
      waiter.deadline = clock.after(1_000);
    }
    expect(waiter.passed).toBe(0);
  });

  test("that is given up is not noticed, and keeps no timer", () => {
    const clock = new Deadlines(() => Date.now());
    const waiter = waiterFor(clock, 100);
    clock.delete(waiter);
    vi.advanceTimersByTime(1_000);
    expect(waiter.passed).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("passes also where the process stands still all the time", () => {
    let now = 0;
    const clock = new Deadlines(() => now);
    const waiter = waiterFor(clock, 1_000);
    for (let turn = 0; turn < 4; turn += 1) {
      now += 600;
      vi.advanceTimersToNextTimer();
    }
    expect(waiter.passed).toBe(1);
  });

  test("waits for what came in while the process itself stood still", () => {
    let now = 0;
    const clock = new Deadlines(() => now);
    const waiter = waiterFor(clock, 1_000);
    now = 5_000;
    vi.advanceTimersToNextTimer();
    expect(waiter.passed).toBe(0);
    waiter.deadline = clock.after(1_000);
    now = 5_100;
    vi.advanceTimersToNextTimer();
    expect(waiter.passed).toBe(0);
    for (now = 5_500; now < 6_000; now += 400) vi.advanceTimersToNextTimer();
    expect(waiter.passed).toBe(0);
    for (now = 6_400; now < 6_800; now += 100) vi.advanceTimersToNextTimer();
    expect(waiter.passed).toBe(1);
  });

  test("is not noticed early where it was set late in a long turn", () => {
    let now = 0;
    const clock = new Deadlines(() => now);
    waiterFor(clock, 60_000);
    now = 900;
    const waiter = waiterFor(clock, 1_000);
    now = 1_000;
    vi.advanceTimersToNextTimer();
    now = 1_850;
    vi.advanceTimersToNextTimer();
    expect(waiter.passed).toBe(0);
    for (; now <= 3_000; now += 100) vi.advanceTimersToNextTimer();
    expect(waiter.passed).toBe(1);
  });
});
