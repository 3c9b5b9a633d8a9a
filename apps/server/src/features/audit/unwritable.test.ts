import { readdirSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { AuditPage } from "@loom/api";
import { say } from "@loom/testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import { send, startTestServer, temporaryDirectory } from "../../testing.ts";
import { type SmallDisk, smallDisk } from "../ledger/small-disk.testing.ts";
import { takeAuditConfig } from "./audit-config.ts";

/** Something that keeps the journal from being written, from `begin` until `end`. */
type Obstacle = {
  begin(ask: Ask): Promise<void>;
  end(): void;
};

type Ask = (method: string, path: string, body?: unknown) => Promise<{ readonly status: number; readonly json: Json }>;
type Json = Readonly<Record<string, unknown>>;

/** The journal's directory is on a disk of its own, which is full. */
function fullDisk(disk: SmallDisk): Obstacle {
  let ballast = "";
  return {
    async begin() {
      ballast = disk.fillUp();
    },
    end: () => rmSync(ballast),
  };
}

/** A file has the name of the journal's directory. */
function fileInTheWay(journal: string): Obstacle {
  return {
    async begin(ask) {
      // Its last file goes when all is stored and nothing has come for a while.
      while (readdirSync(journal).length > 0) await ask("GET", "/api/admin/audit");
      rmdirSync(journal);
      writeFileSync(journal, "");
    },
    end: () => rmSync(journal),
  };
}

const BODY = { model: "claude-opus-5", max_tokens: 100, messages: [{ role: "user", content: "Hi" }] };
const MOST = 5;

describe.each(["a full disk", "a file in the way"] as const)("while the journal cannot be written for %s", (what) => {
  it("no change and no request for a model is let in, and both are again afterwards: nothing is lost", {
    timeout: 60_000,
  }, async ({ skip }) => {
    const home = await temporaryDirectory();
    onTestFinished(() => home[Symbol.asyncDispose]());
    const journal = join(home.path, "audit");
    let obstacle = fileInTheWay(journal);
    if (what === "a full disk") {
      const disk = await smallDisk();
      onTestFinished(() => disk[Symbol.asyncDispose]());
      if (!disk.isMounted) skip("mounting a tmpfs is not permitted here");
      symlinkSync(disk.path, journal);
      obstacle = fullDisk(disk);
    }
    const tokenFile = join(home.path, "token");
    const { server, model, ...test } = await startTestServer({
      script: () => say("Hello."),
      server: {
        access: { type: "owner", tokenFile, replace: false },
        dataDirectory: home.path,
        audit: { ...takeAuditConfig({}), overflow: "block", queueCapacity: MOST },
      },
    });
    onTestFinished(() => test[Symbol.asyncDispose]());
    const token = (await readFile(tokenFile, "utf8")).trim();
    const ask: Ask = async (method, path, body) => {
      const { status, text } = await send(server.url, {
        method,
        path,
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status, json: JSON.parse(text) as Json };
    };
    let made = 0;
    const mint = async () => {
      const answer = await ask("POST", "/api/tokens", { name: `t${made}` });
      if (answer.status < 300) made += 1;
      return answer;
    };
    const askModel = () => ask("POST", "/anthropic/v1/messages", BODY);
    expect([(await mint()).status, (await askModel()).status]).toEqual([201, 200]);

    await obstacle.begin(ask);
    let refused = await mint();
    // What fits into a page of the disk, then what fits into memory.
    while (refused.status === 201 && made < 100) refused = await mint();
    expect(refused).toMatchObject({ status: 503, json: { code: "unavailable", retryable: true } });
    expect(made).toBeGreaterThan(MOST);
    const asked = model.requests.length;
    expect(await askModel()).toMatchObject({ status: 503, json: { type: "error" } });
    expect(model.requests).toHaveLength(asked);
    expect((await ask("DELETE", "/api/tokens/t0")).status).toBe(503);
    // Who only reads is not stopped, and whoever watches over the server is told.
    expect((await ask("GET", "/api/tokens")).status).toBe(200);
    expect((await ask("GET", "/readyz")).status).toBe(503);

    obstacle.end();
    while ((await mint()).status === 503) await new Promise((resolve) => setImmediate(resolve));
    expect((await askModel()).status).toBe(200);
    const events: unknown[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const { json } = await ask(
        "GET",
        `/api/admin/audit?event=token.created&limit=100${cursor && `&cursor=${cursor}`}`,
      );
      const page = json as unknown as AuditPage;
      events.push(...page.events.map(({ target }) => target?.name));
      cursor = page.nextCursor;
    }
    expect(events).toEqual(Array.from({ length: made }, (_, index) => `t${made - 1 - index}`));
  });
});
