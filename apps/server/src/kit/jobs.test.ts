import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DatabaseUnavailable } from "./database-error.ts";
import { every, startJobs } from "./jobs.ts";
import { type Log, SILENT_LOG } from "./log.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a job runs once in every period", async () => {
  let runs = 0;
  const count = every("10 s", "count", async () => {
    runs += 1;
  });
  const jobs = startJobs([count], SILENT_LOG);
  await vi.advanceTimersByTimeAsync(35_000);
  expect(runs).toBe(3);
  await jobs.stop();
});

test("a job that takes longer than its period is not started twice", async () => {
  let running = 0;
  let most = 0;
  const slow = every("1 s", "slow", async () => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    running -= 1;
  });
  const jobs = startJobs([slow], SILENT_LOG);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(most).toBe(1);
  const stopped = jobs.stop();
  await vi.advanceTimersByTimeAsync(2_500);
  await stopped;
});

test("a job that fails is logged and runs again", async () => {
  const errors: unknown[] = [];
  const log: Log = { ...SILENT_LOG, error: (message, fields) => errors.push([message, fields]) };
  const jobs = startJobs([every("1 min", "broken", () => Promise.reject(new Error("No.")))], log);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(errors).toEqual([
    ["job failed", { job: "broken", error: "Error: No." }],
    ["job failed", { job: "broken", error: "Error: No." }],
  ]);
  await jobs.stop();
});

test("stopping fires the signal of a run, waits for its end and starts no other", async () => {
  let runs = 0;
  let ended = false;
  const patient = every("1 s", "patient", async (signal) => {
    runs += 1;
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    ended = true;
  });
  const jobs = startJobs([patient], SILENT_LOG);
  await vi.advanceTimersByTimeAsync(1_000);
  await jobs.stop();
  await vi.advanceTimersByTimeAsync(10_000);
  expect([runs, ended]).toEqual([1, true]);
});

test("a job for one server runs only where the run is claimed", async () => {
  const runs: string[] = [];
  const jobs = ["mine", "theirs"].map((name) => every("1 s", name, async () => void runs.push(name), { once: true }));
  const each = every("1 s", "each", async () => void runs.push("each"));
  const running = startJobs([...jobs, each], SILENT_LOG, { claim: async ({ name }) => name === "mine" });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(runs.sort()).toEqual(["each", "mine"]);
  await running.stop();
});

test("while the database is away a job says so once", async () => {
  const errors: unknown[] = [];
  const log: Log = { ...SILENT_LOG, error: (message) => errors.push(message) };
  const away = every("1 s", "away", () => Promise.reject(new DatabaseUnavailable("The database x is away.")));
  const jobs = startJobs([away], log);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(errors).toEqual(["job failed"]);
  await jobs.stop();
});
