import { stat, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { type Engine, engines, sqlite, type TestHome } from "../../../kit/engines.testing.ts";
import { environment, startServerProcess } from "../../../process.testing.ts";
import {
  AT,
  answered,
  headerOf,
  type Json,
  newThreadId,
  said,
  startThreadServer,
  type ThreadServer,
  text,
  toolSaid,
} from "../threads.testing.ts";

type Hit = {
  readonly thread: string;
  readonly role: string;
  readonly turn: number;
  readonly record: number;
  readonly score: number | null;
  readonly snippet: { readonly text: string; readonly highlights: readonly (readonly [number, number])[] };
};

const SHA = "deadbee1234567890abcdef1234567890abcdef1";

/** One after the other, so that both engines have them in the same order. */
async function fill(threads: ThreadServer): Promise<string[]> {
  const day = (count: number) => `2026-11-${String(count).padStart(2, "0")}T10:00:00.000Z`;
  return [
    await threads.make(
      said("How do I parse the configuration file?", day(1)),
      answered("Call parseConfig in src/config/load-config.ts.", day(1)),
    ),
    await threads.make(
      said("Das Menü ist kaputt: café und naïve Größe", day(2)),
      answered("Behoben in der Datei menu_bar.py", day(2)),
    ),
    await threads.make(
      said("用户登录失败，请检查数据库连接", day(3)),
      answered("データベースの接続を確認しました。한국어 문장도 있다", day(3)),
    ),
    await threads.make(
      said("go to db and run it", day(4)),
      answered("The db is up. db db db, and once more the db.", day(4)),
      toolSaid("error: relation users does not exist"),
    ),
    await threads.make(
      said("parse config parse config parse config", day(5)),
      answered("nothing of the kind", day(5)),
      {
        type: "commit",
        at: day(5),
        sha: SHA,
        message: "Menu: wider\n\nBecause.",
      },
    ),
    await threads.make(said(`${"filler words ".repeat(3_000)} needle at the end`, day(6)), {
      type: "metadata",
      at: day(6),
      tags: ["release"],
    }),
    await threads.make(
      said('the Fetcher got HTTPServer errors -- see "quoted words" here', day(7)),
      answered("OR AND NOT ( unbalanced", day(7)),
      {
        type: "git",
        at: day(7),
        branch: "feature/login-page",
        remote: "github.com/acme/webshop",
      },
    ),
    // What falls into something else than one word: (81), 82., 1⁄2 between letters, a blank.
    await threads.make(said("step \u2474\u247b then \u248f x\u00bdy \u037a o\u037ak \ufe70 \uff9e done", day(8))),
  ];
}

const QUERIES = [
  "parse",
  "parse config",
  "parseConfig",
  "parse_config",
  "parseconfig",
  "load-config.ts",
  "src/config",
  "menu",
  "menü",
  "cafe",
  "naive große",
  "menuBar",
  "用户",
  "数据库",
  "登",
  "データベース",
  "한국어",
  "db",
  "go",
  "users",
  "relation -users",
  "relation OR needle",
  '"nothing of the kind"',
  '"of nothing"',
  "needle",
  "release",
  "webshop",
  "login-page",
  "deadbee",
  SHA,
  "wider",
  "conf",
  "unbalanced",
  '"unbalanced',
  "OR",
  "-only -exclusions",
  "( AND",
  "the",
  "nowhere",
  "\u247b",
  "(8)",
  "8",
  '"step 1 8 then 8 x 1 2 y ok done"',
  '"step 1 8 then 8 x 1 2 y o k done"',
  "x\u00bdy",
  "x12y",
  "o\u037ak",
  "\u037a",
  "done \u037a",
  "\uff9e",
];

async function hitsOf(threads: ThreadServer, ids: readonly string[], query: string) {
  const { json, status } = await threads.ask("GET", `/api/threads/search?q=${encodeURIComponent(query)}`);
  expect([query, status]).toEqual([query, 200]);
  const hits = json.hits as Hit[];
  const places = hits.map(({ thread, role, turn, record, snippet }) => [
    ids.indexOf(thread),
    role,
    turn,
    record,
    snippet,
  ]);
  return { query, places, scores: hits.map(({ score }) => score ?? 0) };
}

async function settle(threads: ThreadServer): Promise<void> {
  await expect
    .poll(async () => (await threads.ask("GET", "/api/threads/search?q=x")).json.indexing, { timeout: 20_000 })
    .toBe(false);
}

async function open(engine: Engine): Promise<{ home: TestHome; threads: ThreadServer }> {
  const home = await engine.create();
  return { home, threads: await startThreadServer(home) };
}

describe.each(engines)("on $name", (engine) => {
  let home: TestHome;
  let threads: ThreadServer;

  beforeEach(async () => {
    ({ home, threads } = await open(engine));
  });

  afterEach(async () => {
    await threads.close();
    await home[Symbol.asyncDispose]();
  });

  async function found(query: string, more = ""): Promise<Hit[]> {
    const { json } = await threads.ask("GET", `/api/threads/search?q=${encodeURIComponent(query)}${more}`);
    return json.hits as Hit[];
  }

  test("words, identifiers, scripts without spaces, accents, commits and odd syntax are found", {
    timeout: 120_000,
  }, async () => {
    const ids = await fill(threads);
    await settle(threads);
    const whereIs = async (query: string) =>
      [...new Set((await found(query)).map(({ thread }) => ids.indexOf(thread)))].sort();
    const expected: Readonly<Record<string, readonly number[]>> = {
      parse: [0, 4],
      parseconfig: [0],
      "load-config.ts": [0],
      "src/config": [0],
      menü: [1, 4],
      cafe: [1],
      menuBar: [1],
      用户: [2],
      登: [2],
      データベース: [2],
      한국어: [2],
      db: [3],
      needle: [5],
      release: [5],
      webshop: [6],
      "login-page": [6],
      "relation -users": [],
      "relation OR needle": [3, 5],
      '"nothing of the kind"': [4],
      '"of nothing"': [],
      '"unbalanced': [6],
      "\u247b": [7],
      "(8)": [7],
      "x\u00bdy": [7],
      x12y: [7],
      "o\u037ak": [7],
      "done \u037a": [7],
    };
    for (const [query, where] of Object.entries(expected)) {
      expect([query, await whereIs(query)]).toEqual([query, where]);
    }
    const asked = QUERIES.map((query) => threads.ask("GET", `/api/threads/search?q=${encodeURIComponent(query)}`));
    expect(new Set((await Promise.all(asked)).map(({ status }) => status))).toEqual(new Set([200]));
    const [commit] = await found("deadbee");
    expect(commit).toMatchObject({
      role: "commit",
      score: null,
      snippet: { text: `${SHA} Menu: wider`, highlights: [[0, 7]] },
    });
    const [hit] = await found("needle");
    expect(hit?.snippet.highlights.map(([from, to]) => hit.snippet.text.slice(from, to))).toEqual(["needle"]);
    expect(hit).toMatchObject({ role: "user", turn: 1, record: 2 });
  });

  test("filters hold, pages follow each other, and what is deleted or purged is not found", async () => {
    const ids = await fill(threads);
    await settle(threads);
    const where = async (query: string, more: string) =>
      (await found(query, more)).map(({ thread }) => ids.indexOf(thread));
    expect(await where("parse", `&thread=${ids[0]}`)).toEqual([0, 0]);
    expect(new Set(await where("parse", `&exceptThread=${ids[0]}`))).toEqual(new Set([4]));
    expect(await where("needle", "&tag=release")).toEqual([5]);
    expect(await where("needle", "&tag=other")).toEqual([]);
    expect(await where("errors", "&repository=acme/webshop")).toEqual([6]);
    expect(await where("needle", "&since=2026-11-06&until=2026-11-07")).toEqual([5]);
    expect(await where("needle", "&until=2026-11-06")).toEqual([]);
    const whole = await found("the", "&limit=50");
    const pages: Hit[] = [];
    for (let cursor: unknown = ""; cursor !== null; ) {
      const { json }: { json: Json } = await threads.ask(
        "GET",
        `/api/threads/search?q=the&limit=2${cursor === "" ? "" : `&cursor=${cursor}`}`,
      );
      pages.push(...(json.hits as Hit[]));
      cursor = json.nextCursor;
    }
    expect(pages.map(({ thread, record }) => [thread, record])).toEqual(
      whole.map(({ thread, record }) => [thread, record]),
    );
    await threads.ask("DELETE", `/api/threads/${ids[5]}`);
    await threads.ask("DELETE", `/api/threads/${ids[4]}?purge=true`);
    expect(await found("needle")).toEqual([]);
    expect(await where("parse", "")).toEqual([0, 0]);
    expect(await where("deadbee", "")).toEqual([]);
  });

  test("the index follows appends, replacements, new titles and outputs that come later", async () => {
    const id = await threads.make(said("first words"));
    await settle(threads);
    const records = [
      JSON.stringify(said("appended words")),
      JSON.stringify({ type: "title", at: AT, title: "Zebra crossing" }),
    ];
    await threads.ask("POST", `/api/threads/${id}/records`, { body: { records }, headers: { "if-match": '"2"' } });
    await settle(threads);
    expect(await found("appended")).toHaveLength(1);
    expect(await found("zebra")).toMatchObject([{ role: "title", snippet: { text: "Zebra crossing" } }]);
    const title = JSON.stringify({ type: "title", at: AT, title: "Lion" });
    await threads.ask("POST", `/api/threads/${id}/records`, {
      body: { records: [title] },
      headers: { "if-match": '"4"' },
    });
    await settle(threads);
    expect(await found("zebra")).toEqual([]);
    const { json } = await threads.ask("GET", `/api/threads/${id}/records`);
    const replaced = [(json.records as string[])[0], JSON.stringify(said("replaced"))];
    await threads.ask("PUT", `/api/threads/${id}`, { body: { records: replaced }, headers: { "if-match": '"5"' } });
    await settle(threads);
    expect([await found("appended"), (await found("replaced")).length]).toEqual([[], 1]);
  });

  test("letters that fold to a blank hold up nothing", async () => {
    await threads.make(said("before \ufe70 \u037a a\u037a after"));
    await threads.make(said("and the next one"));
    await settle(threads);
    expect([(await found("after")).length, (await found("next")).length]).toEqual([1, 1]);
  });

  test("a server that was stopped in the middle goes on where it was", async () => {
    const ids = await fill(threads);
    await threads.close();
    threads = await startThreadServer(home);
    await settle(threads);
    expect((await found("needle")).map(({ thread }) => ids.indexOf(thread))).toEqual([5]);
  });
});

test.skipIf(engines.length < 2)(
  "both engines give the same hits in the same order, with the same scores",
  { timeout: 120_000 },
  async () => {
    const opened = await Promise.all(engines.map(open));
    try {
      const results = [];
      for (const { threads } of opened) {
        const ids = await fill(threads);
        await settle(threads);
        results.push(await Promise.all(QUERIES.map((query) => hitsOf(threads, ids, query))));
      }
      const [first = [], second = []] = results;
      const hits = (of: typeof first) => of.map(({ query, places }) => [query, places]);
      expect(hits(second)).toEqual(hits(first));
      expect(first.filter(({ places }) => places.length > 0).length).toBeGreaterThan(30);
      // The time goes on between the two: what is newer counts a little less.
      const scores = second.flatMap((each) => each.scores);
      for (const [index, score] of first.flatMap((each) => each.scores).entries()) {
        expect(Math.abs(score - (scores[index] ?? Number.NaN))).toBeLessThanOrEqual(0.001 * score);
      }
    } finally {
      for (const { home, threads } of opened) {
        await threads.close();
        await home[Symbol.asyncDispose]();
      }
    }
  },
);

test("a server that is killed while it makes the index goes on, and nothing is missing", {
  timeout: 120_000,
}, async () => {
  const home = await sqlite.create();
  onTestFinished(() => home[Symbol.asyncDispose]());
  const start = async () => {
    const started = await startServerProcess(home.path, { env: environment(home.path) });
    // Also where the test fails: a server left behind goes on making its index.
    onTestFinished(async () => {
      started.process.kill();
      await started.process.exited;
    });
    return started;
  };
  let running = await start();
  const ask = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(running.url + path, {
      method,
      headers: {
        authorization: `Bearer ${running.token}`,
        ...(body === undefined ? {} : { "content-type": "application/json", "if-none-match": "*" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await response.json()) as Json;
  };
  // None is the beginning of another.
  const nameOf = (n: number, index: number) => `passage${100 + n}x${100 + index}`;
  for (let n = 0; n < 40; n++) {
    const id = newThreadId();
    const records = Array.from({ length: 50 }, (_, index) => text(said(`walrus ${nameOf(n, index)}`)));
    await ask("PUT", `/api/threads/${id}`, { records: [headerOf(id), ...records] });
  }
  // At no place in particular, more than once.
  for (let kill = 0; kill < 2; kill++) {
    running.process.kill();
    await running.process.exited;
    running = await start();
    await ask("GET", "/api/threads/search?q=walrus");
  }
  await expect
    .poll(async () => (await ask("GET", "/api/threads/search?q=walrus")).indexing, { timeout: 60_000 })
    .toBe(false);
  for (const n of [0, 17, 39]) {
    for (let index = 0; index < 50; index++) {
      const { hits } = await ask("GET", `/api/threads/search?q=${nameOf(n, index)}`);
      expect([n, index, (hits as unknown[]).length]).toEqual([n, index, 1]);
    }
  }
  const found = new Set<unknown>();
  for (let cursor = ""; ; ) {
    const page = await ask("GET", `/api/threads/search?q=walrus&limit=100${cursor}`);
    for (const { thread } of page.hits as Hit[]) found.add(thread);
    if (page.nextCursor === null) break;
    cursor = `&cursor=${page.nextCursor}`;
  }
  expect(found.size).toBe(40);
  for (const suffix of ["", "-wal", "-shm"]) {
    expect([suffix, (await stat(`${home.path}/thread-search.sqlite${suffix}`)).mode & 0o777]).toEqual([suffix, 0o600]);
  }
});

test("an index that is damaged is made anew", async () => {
  const home = await sqlite.create();
  let threads = await startThreadServer(home);
  await fill(threads);
  await settle(threads);
  await threads.close();
  await writeFile(`${home.path}/thread-search.sqlite`, "no database at all".repeat(1_000));
  threads = await startThreadServer(home);
  await settle(threads);
  expect((await threads.ask("GET", "/api/threads/search?q=needle")).json.hits).toHaveLength(1);
  await threads.close();
  await home[Symbol.asyncDispose]();
});
