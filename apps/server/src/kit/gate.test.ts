import { expect, test } from "vitest";
import { createGate } from "./gate.ts";

test("as many as fit are inside at once, the others in order, and who fails makes room too", async () => {
  const gate = createGate(2, 100);
  const [order, ends]: [number[], (() => void)[]] = [[], []];
  let most = 0;
  let inside = 0;
  const work = (at: number) =>
    gate(async () => {
      order.push(at);
      inside += 1;
      most = Math.max(most, inside);
      await new Promise<void>((end) => void ends.push(end));
      inside -= 1;
      if (at % 2 === 0) throw new Error(`${at}`);
    });
  const all = Promise.allSettled([0, 1, 2, 3, 4].map(work));
  for (let count = 0; count < 5; count += 1) {
    await expect.poll(() => ends.length).toBeGreaterThan(0);
    ends.shift()?.();
  }
  expect((await all).map(({ status }) => status)).toEqual([
    "rejected",
    "fulfilled",
    "rejected",
    "fulfilled",
    "rejected",
  ]);
  expect([order, most]).toEqual([[0, 1, 2, 3, 4], 2]);
});

test("who finds too many in front of him is told so", async () => {
  const gate = createGate(1, 1);
  let end = (): void => {};
  const first = gate(
    () =>
      new Promise<void>((resolve) => {
        end = resolve;
      }),
  );
  const second = gate(async () => "in");
  await expect(gate(async () => "in")).rejects.toMatchObject({ problem: { status: 503, retryable: true } });
  end();
  expect([await first, await second]).toEqual([undefined, "in"]);
});
