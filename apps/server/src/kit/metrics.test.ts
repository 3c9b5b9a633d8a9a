import { expect, test } from "vitest";
import { createMetrics } from "./metrics.ts";

test("what was recorded before anybody asked is counted", async () => {
  const metrics = createMetrics();
  const count = metrics.counter({ name: "things_total", help: "Things.", labels: ["kind"] });
  const observe = metrics.histogram({ name: "wait_seconds", help: "Waiting.", buckets: [1, 10] });
  count({ kind: "a" });
  count({ kind: "a" }, 2);
  observe({}, 5);
  const early = await metrics.render();
  expect(early).toContain('things_total{kind="a"} 3');
  expect(early).toContain('wait_seconds_bucket{le="10"} 1');
  count({ kind: "a" });
  expect(await metrics.render()).toContain('things_total{kind="a"} 4');
});

test("observations are in the buckets up to their value, one series for each combination of labels", async () => {
  const metrics = createMetrics();
  const help = "Waiting.";
  const observe = metrics.histogram({ name: "wait_seconds", help, labels: ["place"], buckets: [0.5, 1, 10] });
  for (const value of [0.5, 0.6, 11]) observe({ place: 'a"\\\n' }, value);
  observe({ place: "b" }, 1);
  const text = await metrics.render();
  expect(text).toContain("# TYPE wait_seconds histogram\n");
  const place = String.raw`place="a\"\\\n"`;
  expect(text).toContain(
    `wait_seconds_bucket{le="0.5",${place}} 1\nwait_seconds_bucket{le="1",${place}} 2\n` +
      `wait_seconds_bucket{le="10",${place}} 2\nwait_seconds_bucket{le="+Inf",${place}} 3\n` +
      `wait_seconds_sum{${place}} 12.1\nwait_seconds_count{${place}} 3\n`,
  );
  expect(text).toContain('wait_seconds_count{place="b"} 1\n');
});

test("a busy server that nobody scrapes keeps its numbers in bounded space", async () => {
  const metrics = createMetrics();
  const count = metrics.counter({ name: "things_total", help: "Things." });
  for (let index = 0; index < 5_000; index += 1) count({});
  expect(await metrics.render()).toContain("things_total 5000");
});

test("whoever has a counter or an observer at hand counts in the same series", async () => {
  const metrics = createMetrics();
  const count = metrics.counter({ name: "things_total", help: "Things.", labels: ["kind"] });
  const observe = metrics.histogram({ name: "wait_seconds", help: "Waiting.", labels: ["kind"], buckets: [1] });
  const [add, see] = [count.of({ kind: "a" }), observe.of({ kind: "a" })];
  for (const total of [3, 6]) {
    count({ kind: "a" });
    add();
    add(1);
    observe({ kind: "a" }, 0.5);
    see(0.5);
    const text = await metrics.render();
    expect(text).toContain(`things_total{kind="a"} ${total}\n`);
    expect(text).toContain(`wait_seconds_count{kind="a"} ${(total / 3) * 2}\n`);
  }
});

test("a counter that is told nothing has no series, one that is told zero has", async () => {
  const metrics = createMetrics();
  const count = metrics.counter({ name: "things_total", help: "Things.", labels: ["kind"] });
  count.of({ kind: "a" });
  count({ kind: "b" }, 0);
  const text = await metrics.render();
  expect(text).not.toContain('kind="a"');
  expect(text).toContain('things_total{kind="b"} 0\n');
});

test("an amount that is none costs one scrape and no other", async () => {
  const metrics = createMetrics();
  const count = metrics.counter({ name: "things_total", help: "Things.", labels: ["kind"] });
  count({ kind: "a" }, -1);
  count({ kind: "b" });
  await expect(metrics.render()).rejects.toThrow();
  expect(await metrics.render()).toContain('things_total{kind="b"} 1\n');
});

test("an observed value is read when it is asked for", async () => {
  const metrics = createMetrics();
  let value = 1;
  metrics.observed({ name: "level", help: "Level.", type: "gauge", labels: { place: "here" }, read: () => value });
  metrics.observed({ name: "work_seconds_total", help: "Work.", type: "counter", read: () => value });
  expect(await metrics.render()).toContain('level{place="here"} 1');
  value = 5;
  const later = await metrics.render();
  expect(later).toContain('level{place="here"} 5');
  expect(later).toContain("work_seconds_total 5");
});

test("a table of observed values has the rows that there are at the moment", async () => {
  const metrics = createMetrics();
  let rows = [{ labels: { place: "here", kind: "a" }, value: 1 }];
  metrics.observedAll({ name: "levels", help: "Levels.", labels: ["place", "kind"], read: () => rows });
  expect(await metrics.render()).toContain('levels{place="here",kind="a"} 1');
  rows = [{ labels: { place: "there", kind: "a" }, value: 2 }];
  const later = await metrics.render();
  expect(later).toContain('levels{place="there",kind="a"} 2');
  expect(later).not.toContain('place="here"');
});
