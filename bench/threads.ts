import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { say, startScriptedModel } from "@loom/testkit";
import { createThreadStore, type ThreadStore } from "@loom/threads";
import { openThreadIndex } from "@loom/threads/thread-index";
import { TurnWriter } from "../packages/threads/src/long-thread.testing.ts";
import type { Command } from "./command.ts";
import { loomRun } from "./loom.ts";
import { machine, table } from "./markdown.ts";
import { memoryRun } from "./memory-run.ts";
import type { Options } from "./options.ts";
import { interleave, median } from "./statistics.ts";
import { createPlace, type Place } from "./subject.ts";
import { writeBetweenMarkers } from "./write-docs.ts";

const DOCUMENT = fileURLToPath(new URL("../docs/benchmarks.md", import.meta.url));

const MEGABYTE = 1_000_000;
const ROUNDS = 7;
const EVENTS = 200;
const SEARCHES = 50;
/** Several blocks, each below the size from which an output gets a file of its own: the thread's own file is to be long. */
const BLOCKS = 6;

/** Prints what threads cost: to go on with a long one, to save one event, to index and to search. */
export async function benchThreads({ bundle, writeDocs }: Pick<Options, "bundle" | "writeDocs">): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "loom-bench-"));
  try {
    await using model = await startScriptedModel({ script: () => say("Going on.") });
    const place = createPlace(root, model.url);
    const store = createThreadStore({ directory: join(place.home, ".local", "share", "loom", "threads") });
    const text = [
      `On ${machine()}; medians of ${ROUNDS}. \`npm run build && npm run bench -- --threads\``,
      await benchResume(store, place, bundle),
      await benchEvents(store, place.workspace),
      await benchIndex(store),
    ].join("\n\n");
    console.log(text);
    if (writeDocs) writeBetweenMarkers(DOCUMENT, text, "local-threads");
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** Bars: 500 ms and 150 MB for 50 MB. */
async function benchResume(store: ThreadStore, place: Place, bundle: string | undefined): Promise<string> {
  const sizes = [0, 5 * MEGABYTE, 50 * MEGABYTE];
  const threads: { readonly id: string; readonly bytes: number; readonly command: Command }[] = [];
  for (const size of sizes) {
    const { id, file } = await generate(store, place.workspace, size);
    const args = ["resume", id, "--model", "scripted", "-p", "go on", "--output-format", "stream-json"];
    threads.push({ id, bytes: statSync(file).size, command: loomRun(place, args, { bundle }) });
  }
  const firsts = new Map<string, number[]>(threads.map(({ id }) => [id, []]));
  const wholes = new Map<string, number[]>(threads.map(({ id }) => [id, []]));
  await interleave(threads, ROUNDS, async ({ id, command }) => {
    const { first, whole } = await firstOutput(command);
    firsts.get(id)?.push(first);
    wholes.get(id)?.push(whole);
  });
  const rows: string[][] = [];
  for (const { id, bytes, command } of threads) {
    const { rss } = await memoryRun(command);
    rows.push([
      `${(bytes / MEGABYTE).toFixed(1)} MB`,
      `${median(firsts.get(id) ?? []).toFixed(0)} ms`,
      `${median(wholes.get(id) ?? []).toFixed(0)} ms`,
      `${(rss / MEGABYTE).toFixed(0)} MB`,
    ]);
  }
  return table([
    ["`loom resume -p`, thread of", "first output (bar 500 ms)", "whole turn", "peak memory (bar 150 MB)"],
    ...rows,
  ]);
}

/** Milliseconds from the start to the first byte on standard output, and to the end. */
async function firstOutput({ file, args, cwd, env }: Command): Promise<{ first: number; whole: number }> {
  const start = performance.now();
  const child = spawn(file, args, { cwd, env, stdio: ["ignore", "pipe", "inherit"] });
  let first: number | undefined;
  child.stdout.on("data", () => {
    first ??= performance.now() - start;
  });
  const [code] = await once(child, "close");
  if (code !== 0 || first === undefined) throw new Error(`${args.join(" ")} ended with ${code}`);
  return { first, whole: performance.now() - start };
}

/** Bar: 2 ms, and no more bytes for a long thread than for a short one. */
async function benchEvents(store: ThreadStore, workspace: string): Promise<string> {
  const rows: string[][] = [];
  for (const size of [0, 5 * MEGABYTE]) {
    const { id, file } = await generate(store, workspace, size);
    const { thread, writer } = store.open(id);
    const turns = new TurnWriter(writer, thread);
    const before = statSync(file).size;
    const appended: number[] = [];
    const synced: number[] = [];
    for (let n = 0; n < EVENTS; n++) {
      const start = performance.now();
      turns.event({ type: "user_input", input: [{ type: "text", text: `word ${n}` }] });
      appended.push(performance.now() - start);
      await writer.flush();
      synced.push(performance.now() - start);
    }
    const bytes = (statSync(file).size - before) / EVENTS;
    await writer.close();
    const cells = [median(appended).toFixed(3), median(synced).toFixed(3)].map((ms) => `${ms} ms`);
    rows.push([`${(before / MEGABYTE).toFixed(1)} MB`, ...cells, bytes.toFixed(0)]);
  }
  return table([
    ["one event, into a thread of", "kept from a crash (bar 2 ms)", "on the disk", "bytes written"],
    ...rows,
  ]);
}

async function benchIndex(store: ThreadStore): Promise<string> {
  const start = performance.now();
  const index = await openThreadIndex({ directory: store.directory });
  const built = performance.now() - start;
  const bytes = index.list().reduce((sum, thread) => sum + thread.bytes, 0);
  const rows = [["index made anew", `${(bytes / MEGABYTE).toFixed(0)} MB in ${built.toFixed(0)} ms`]];
  for (const [name, query] of [
    ["a rare word", "turn37word"],
    ["a common word", "filler"],
    ["a part of a name", "turn_37"],
    ["nothing", "nowhere"],
  ] as const) {
    const times: number[] = [];
    for (let n = 0; n < SEARCHES; n++) {
      const from = performance.now();
      index.search(query);
      times.push(performance.now() - from);
    }
    const sorted = times.toSorted((a, b) => a - b);
    const p95 = sorted[Math.floor(SEARCHES * 0.95)] ?? Number.NaN;
    rows.push([`search for ${name}`, `${median(times).toFixed(1)} ms, p95 ${p95.toFixed(1)} ms`]);
  }
  index.close();
  return table([["the index on this machine", "time"], ...rows]);
}

async function generate(store: ThreadStore, workspace: string, bytes: number) {
  const writer = store.create({ workspace, loomVersion: "0.0.0" });
  const turns = new TurnWriter(writer);
  turns.turn("begin", "x");
  for (let n = 0; statSync(writer.file).size < bytes; n++) {
    turns.turn(
      `turn_${n} turn${n}word`,
      Array.from({ length: BLOCKS }, (_, block) => text(n * BLOCKS + block)),
    );
  }
  await writer.close();
  return writer;
}

/** About 7 KB of lines that are like output of tools and differ from each other. */
function text(seed: number): string {
  return Array.from(
    { length: 100 },
    (_, line) => `src/module${seed % 97}/file${line}.ts: filler line ${seed * 100 + line} ok, nothing to see here`,
  ).join("\n");
}
