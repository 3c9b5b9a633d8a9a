import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { engines, sqlite, type TestHome } from "../../kit/engines.testing.ts";
import {
  AT,
  answered,
  headerOf,
  newThreadId,
  said,
  startThreadServer,
  type ThreadServer,
  text,
  toolSaid,
} from "./threads.testing.ts";

const EVIL = `</pre></title><script>document.title="owned"</script><img src=x onerror='document.title="owned"'>`;
const BIDI = "safe\u202egnp.exe\u0007\u001b[31m";
const CHROMIUM = "/usr/bin/chromium";

async function makeEvil(threads: ThreadServer): Promise<string> {
  const evilImage = { type: "image" as const, mediaType: 'image/png" onerror="alert(1)', data: "AAAA" };
  return threads.make(
    { type: "event", at: AT, event: { type: "user_input", input: [{ type: "text", text: EVIL }, evilImage] } },
    answered(`${EVIL}\n\`\`\`\n${BIDI}`),
    toolSaid(EVIL),
    { type: "title", at: AT, title: `${EVIL} ${BIDI}\nsecond line` },
    { type: "git", at: AT, branch: EVIL, remote: `host/${EVIL}` },
    { type: "commit", at: AT, sha: "ab".repeat(20), message: EVIL },
  );
}

describe.each(engines)("on $name", (engine) => {
  let home: TestHome;
  let threads: ThreadServer;
  let ask: ThreadServer["ask"];

  beforeEach(async () => {
    home = await engine.create();
    threads = await startThreadServer(home);
    ask = threads.ask;
  });

  afterEach(async () => {
    await threads.close();
    await home[Symbol.asyncDispose]();
  });

  test("an export as JSON is imported again, long outputs included", async () => {
    const content = "a long output ".repeat(1_000);
    const sha256 = createHash("sha256").update(content).digest("hex");
    const stored = { type: "stored_text", sha256, bytes: content.length, head: "a long" };
    const record = toolSaid("x");
    const line = text(record).replace('{"type":"text","text":"x"}', JSON.stringify(stored));
    const id = newThreadId();
    await ask("PUT", `/api/threads/${id}`, {
      body: { records: [headerOf(id), text(said("hello")), line] },
      headers: { "if-none-match": "*" },
    });
    await ask("PUT", `/api/threads/${id}/outputs/${sha256}`, { body: Buffer.from(content) });
    const exported = await ask("GET", `/api/threads/${id}/export?format=json`);
    expect(exported.headers.get("content-disposition")).toBe(`attachment; filename="${id}.json"`);
    const imported = await ask("POST", "/api/threads/import?format=loom", { body: Buffer.from(exported.text) });
    expect([imported.status, imported.json]).toEqual([
      201,
      expect.objectContaining({ version: 3, turns: 1, forkedFrom: { id, version: 3 } }),
    ]);
    const copy = String(imported.json.id);
    expect((await ask("GET", `/api/threads/${copy}/outputs/${sha256}`)).text).toBe(content);
    const { records } = (await ask("GET", `/api/threads/${copy}/records`)).json as { records: string[] };
    expect(records.slice(1)).toEqual([text(said("hello")), line]);
    expect((await ask("GET", `/api/threads/${id}/export?format=markdown`)).text).toContain(content);
  });

  test("an import of a damaged file says which line", async () => {
    const header = headerOf(newThreadId());
    const wrong: [string, string, RegExp][] = [
      ["loom", `${header}\n${text(said("a"))}\n{"type":`, /Line 3 of the file is not a record/],
      ["loom", `${header}\n\n${header}`, /Line 3 of the file is a second header/],
      ["loom", "nonsense", /Line 1 of the file is not a record of a thread/],
      ["loom", '{"format":"loom-thread","records":[\n{"type":"thread"},\n{oops\n]}', /Line 3 of the file is not JSON/],
      ["claude-code", '{"type":"summary","summary":"x"}\nnot json', /Line 2 of the file is not JSON/],
      ["claude-code", '{"type":"user"}', /Line 1 of the file has no message/],
      ["codex", '{"type":"session_meta","payload":{}}\n{"type":"response_item"}', /Line 2 of the file has no payload/],
      ["codex", '{"type":"event_msg"}', /there is no message in it/],
      ["opencode", '{"info":{},\n"messages":[\n}', /Line 3 of the file is not JSON/],
      ["opencode", "{}", /no session of opencode/],
    ];
    for (const [format, file, sentence] of wrong) {
      const { status, json } = await ask("POST", `/api/threads/import?format=${format}`, { body: Buffer.from(file) });
      expect([format, file, status, json.detail]).toEqual([format, file, 400, expect.stringMatching(sentence)]);
    }
    const bytes = Buffer.concat([Buffer.from(`${header}\n`), Buffer.from([0xff, 0xfe, 0x0a])]);
    expect((await ask("POST", "/api/threads/import", { body: bytes })).json.detail).toBe(
      "Line 2 of the file is not UTF-8.",
    );
    expect((await ask("GET", "/api/threads")).json.threads).toEqual([]);
  });

  test("a link shows the thread to anybody, until it is taken back, replaced, or over", async () => {
    const id = await threads.make(said("look at this"));
    const share = async (body: unknown = {}) => (await ask("POST", `/api/threads/${id}/share`, { body })).json;
    const first = await share();
    expect(first).toMatchObject({ token: expect.stringMatching(/^[0-9a-f]{48}$/), expiresAt: null });
    const visit = (token: unknown, query = "") => ask("GET", `/share/${token}${query}`, { token: "" });
    const page = await visit(first.token);
    expect([page.status, page.text]).toEqual([200, expect.stringContaining("look at this")]);
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect((await visit(first.token, "?format=json")).json).toMatchObject({ format: "loom-thread", thread: { id } });
    expect((await visit(first.token, "?format=markdown")).text).toMatch(/^# look at this\n/);
    expect((await ask("GET", `/api/threads/${id}`)).json.shared).toBe(true);
    const second = await share();
    expect([(await visit(first.token)).status, (await visit(second.token)).status]).toEqual([410, 200]);
    await ask("DELETE", `/api/threads/${id}/share`);
    const revoked = await visit(second.token);
    expect([revoked.status, revoked.text]).toEqual([410, expect.stringContaining("taken back")]);
    expect((await visit(second.token, "?format=json")).json).toMatchObject({ code: "gone" });
    expect(
      (await ask("POST", `/api/threads/${id}/share`, { body: { expiresAt: "2020-01-01T00:00:00Z" } })).status,
    ).toBe(400);
    const short = await share({ expiresAt: new Date(Date.now() + 300).toISOString() });
    await expect.poll(async () => (await visit(short.token)).text).toContain("expired");
    const unknown = await visit("0".repeat(48));
    expect([unknown.status, unknown.text]).toEqual([404, expect.stringContaining("nothing here")]);
    expect((await visit("..%2f..%2fetc")).status).toBe(404);
  });

  test("what was said cannot become a part of a page", async () => {
    const id = await makeEvil(threads);
    const { token } = (await ask("POST", `/api/threads/${id}/share`, { body: {} })).json;
    for (const path of [`/api/threads/${id}/export?format=html`, `/share/${token}`]) {
      const { text: page } = await ask("GET", path);
      expect(page).toContain("&lt;script&gt;");
      expect(page).not.toMatch(/<script|<img|onerror=['"](?!.*&)/i);
      expect(page).not.toMatch(/(?!\n|\t)[\p{Cc}\u202e]/u);
      expect(page).toContain("[U+202E]");
    }
    const { text: exported } = await ask("GET", `/api/threads/${id}/export?format=html`);
    expect(exported).toContain('http-equiv="content-security-policy"');
    const { text: markdown } = await ask("GET", `/api/threads/${id}/export?format=markdown`);
    expect(markdown).not.toMatch(/(?!\n|\t)[\p{Cc}\u202e]/u);
    expect(markdown.split("\n")[0]).not.toMatch(/(?<!\\)</);
  });
});

test.skipIf(!existsSync(CHROMIUM))(
  "a browser runs nothing of an exported page",
  async () => {
    const home = await sqlite.create();
    const threads = await startThreadServer(home);
    const id = await makeEvil(threads);
    const { text: page } = await threads.ask("GET", `/api/threads/${id}/export?format=html`);
    // Even where the escaping had a hole: the page's own policy forbids scripts.
    const holed = page.replace("</main>", '<script>document.title="owned"</script></main>');
    for (const [name, content] of Object.entries({ page, holed })) {
      const file = join(home.path, `${name}.html`);
      await writeFile(file, content);
      const flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        `--user-data-dir=${home.path}/chromium`,
        "--dump-dom",
      ];
      const { stdout } = await promisify(execFile)(CHROMIUM, [...flags, `file://${file}`], { timeout: 60_000 });
      expect(stdout).toContain("Turn 1");
      expect(/<title>([^<]*)<\/title>/.exec(stdout)?.[1]).not.toBe("owned");
    }
    await threads.close();
    await home[Symbol.asyncDispose]();
  },
  120_000,
);
