import { join } from "node:path";
import type { AuditPage } from "@loom/api";
import { say } from "@loom/testkit";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { type DatabasePlace, openDatabase } from "../../kit/database.ts";
import { engines } from "../../kit/engines.testing.ts";
import { DATABASE_FILE } from "../../server.ts";
import { REQUEST, send, startOwnerServer } from "../../testing.ts";
import type { LedgerTables } from "../ledger/migrations.ts";
import { MIGRATIONS } from "../migrations.ts";
import type { PeopleTables } from "../people/migrations.ts";
import type { AuditTables } from "./migrations.ts";

describe.each(engines)("the audit log of a server on $name", (engine) => {
  let url: string;
  let token: string;
  let place: DatabasePlace;
  beforeEach(async () => {
    const home = await engine.create();
    const test = await startOwnerServer({
      script: [say("hi"), say("hi")],
      server: { postgres: home.postgres },
    });
    onTestFinished(async () => {
      await test[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    });
    ({ token } = test);
    place = "postgres" in home.place ? home.place : { file: join(test.directory, DATABASE_FILE) };
    ({ url } = test.server);
  });

  const ask = async (method: string, path: string, body?: unknown, as = token) => {
    const answer = await send(url, {
      method,
      path,
      headers: { authorization: `Bearer ${as}`, "content-type": "application/json", "user-agent": "a-test" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { ...answer, json: () => JSON.parse(answer.text) };
  };
  const list = async (query = ""): Promise<AuditPage> => (await ask("GET", `/api/admin/audit?${query}`)).json();
  const mint = async (name: string): Promise<{ token: string; info: { id: string } }> =>
    (await ask("POST", "/api/tokens", { name })).json();

  it("says who did what to which, from where, and what it was before", async () => {
    const minted = await mint("ci");
    await ask("PUT", `/api/budgets/token/${minted.info.id}`, { dayMicroUsd: 5 });
    await ask("DELETE", `/api/tokens/${minted.info.id}`);
    const { events } = await list("actor=owner");
    expect(events.map(({ event }) => event)).toEqual(["token.revoked", "budget.changed", "token.created"]);
    expect(events[2]).toMatchObject({
      severity: "notice",
      outcome: "success",
      actor: { type: "owner", id: "owner", name: "owner" },
      target: { type: "token", id: minted.info.id, name: "ci" },
      address: "127.0.0.1",
      userAgent: "a-test",
      requestId: expect.stringMatching(/^req-/),
      after: { scopes: ["llm:use"] },
    });
    expect(events[1]).toMatchObject({ before: {}, after: { dayMicroUsd: 5 } });
  });

  it("has a line for the start, the owner's token, and what the policy refuses", async () => {
    const minted = await mint("weak");
    expect((await ask("GET", "/api/tokens", undefined, minted.token)).status).toBe(403);
    const { events } = await list();
    expect(events.map(({ event }) => event).toSorted()).toEqual([
      "access.denied",
      "owner_token.created",
      "server.started",
      "token.created",
    ]);
    expect((await list("outcome=denied")).events).toMatchObject([
      {
        actor: { id: minted.info.id },
        target: { type: "token" },
        policy: expect.any(String),
        details: { action: "administer" },
      },
    ]);
  });

  it("has the requests for models of until now, by the ids of their rows in the ledger", async () => {
    for (const model of ["default", "default", "gone"]) {
      await ask("POST", "/proxy/anthropic/stream", { ...REQUEST, model });
    }
    const { events } = await list("family=llm");
    expect(events).toMatchObject([
      { event: "llm.failed", outcome: "failure", actor: { type: "owner" }, details: { outcome: "failed" } },
      { event: "llm.completed", outcome: "success", details: { requests: 2, requestedModel: "default", status: 200 } },
    ]);
    const database = await openDatabase({ ...place, migrations: MIGRATIONS });
    const rows = await database.tables<LedgerTables>().selectFrom("usage").select("id").orderBy("at_ms").execute();
    await database.close();
    const told = events.toReversed().flatMap(({ details, requestId }) => details?.requestIds ?? [requestId]);
    expect(told.toSorted()).toEqual(rows.map(({ id }) => id).toSorted());
  });

  it("counts what one address tries with wrong tokens, and keeps nothing of them", async () => {
    for (let tries = 0; tries < 20; tries += 1) await ask("GET", "/api/tokens", undefined, `lt_wrong${tries}`);
    const { events } = await list("event=access.unauthenticated");
    expect(events).toMatchObject([{ outcome: "denied", actor: { type: "anonymous" }, address: "127.0.0.1" }]);
    expect(JSON.stringify(events)).not.toContain("lt_wrong");
  });

  it("gives page after page, each row once", async () => {
    for (let count = 0; count < 7; count += 1) await mint(`t${count}`);
    const seen: number[] = [];
    let cursor: string | null = null;
    do {
      const page = await list(`family=token&limit=3${cursor === null ? "" : `&cursor=${cursor}`}`);
      seen.push(...page.events.map(({ seq }) => seq));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toHaveLength(7);
    expect(new Set(seen).size).toBe(7);
    expect(seen).toEqual(seen.toSorted((a, b) => b - a));
  });

  it("is exported as JSON lines and CSV with the filter of the list, and says so itself", async () => {
    await mint("=1+1");
    await mint("plain");
    const jsonl = await ask("GET", "/api/admin/audit/export?family=token");
    expect(jsonl.headers["content-type"]).toBe("application/jsonl");
    const rows = jsonl.text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(rows).toEqual((await list("family=token")).events);
    const csv = await ask("GET", "/api/admin/audit/export?family=token&format=csv");
    expect(csv.headers["content-disposition"]).toContain("audit.csv");
    const lines = csv.text.split("\r\n");
    expect(lines[0]).toMatch(/^seq,id,at,event,/);
    expect(lines).toHaveLength(rows.length + 2);
    expect((await list("event=audit.exported")).events).toHaveLength(2);
  });

  it("is exported whole, however many batches it takes, each row once and with the filter of the list", async () => {
    const database = await openDatabase({ ...place, migrations: MIGRATIONS });
    const rows = 1_234;
    await database.write<AuditTables, void>(async (db) => {
      const made = Array.from({ length: rows }, (_, seq) => ({
        ...{ seq: 1_000 + seq, id: `audit-x${seq}`, at_ms: seq, event: "thread.shared", family: "thread" },
        ...{ severity: "info", outcome: "success", actor_type: "user", actor_id: `user-${seq % 2}` },
        ...{ actor_name: "somebody", organization: "org-1", previous_hash: "", hash: "" },
      }));
      for (let start = 0; start < rows; start += 100) {
        await db
          .insertInto("audit")
          .values(made.slice(start, start + 100))
          .execute();
      }
    });
    await database.close();
    for (const [query, expected] of [
      ["family=thread", rows],
      ["family=thread&actor=user-1", rows / 2],
      ["family=thread&event=thread.shared&actor=user-1&outcome=success", rows / 2],
    ] as const) {
      const { text } = await ask("GET", `/api/admin/audit/export?${query}`);
      const ids = text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).id);
      expect([query, ids.length, new Set(ids).size]).toEqual([query, expected, expected]);
      const csv = (await ask("GET", `/api/admin/audit/export?${query}&format=csv`)).text;
      expect(csv.trimEnd().split("\r\n")).toHaveLength(expected + 1);
    }
  });

  it("of an organization holds its rows and no others, in the list and exported, whatever else is asked for", async () => {
    const database = await openDatabase({ ...place, migrations: MIGRATIONS });
    await database.write<AuditTables & PeopleTables, void>(async (db) => {
      await db
        .insertInto("organization")
        .values({
          ...{ id: "org-1", slug: "acme", name: "Acme", description: "", visibility: "private", join_policy: "invite" },
          ...{ require_second_factor: 0, personal_of: null, created_at: "2026-01-01T00:00:00Z", deleted_at: null },
          version: 1,
        })
        .execute();
      for (const [seq, organization] of [null, "org-1", "org-2", "org-1"].entries()) {
        await db
          .insertInto("audit")
          .values({
            ...{ seq: 1_000 + seq, id: `audit-x${seq}`, at_ms: seq, event: "thread.shared", family: "thread" },
            ...{ severity: "info", outcome: "success", actor_type: "user", actor_id: "user-1" },
            ...{ actor_name: "somebody", organization, previous_hash: "", hash: "" },
          })
          .execute();
      }
    });
    await database.close();
    const mine = ["audit-x3", "audit-x1"];
    const listed = (await ask("GET", "/api/organizations/acme/audit")).json() as AuditPage;
    expect(listed.events.map(({ id }) => id)).toEqual(mine);
    const exported = await ask("GET", "/api/organizations/acme/audit/export");
    const ids = exported.text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).id);
    expect(ids.filter((id) => mine.includes(id))).toEqual(mine);
    // It says itself that it was exported, as a row of the organization.
    expect(ids.filter((id) => !mine.includes(id))).toHaveLength(1);
    expect((await ask("GET", "/api/organizations/acme/audit?organization=org-2")).status).toBe(400);
    expect((await ask("GET", "/api/organizations/nowhere/audit")).status).toBe(404);
  });

  it("is not for everybody", async () => {
    const minted = await mint("weak");
    for (const path of ["/api/admin/audit", "/api/admin/audit/export"]) {
      expect((await ask("GET", path, undefined, minted.token)).status).toBe(403);
    }
    expect((await ask("GET", "/api/organizations/org-1/audit", undefined, minted.token)).status).toBe(404);
  });

  it("refuses what it does not understand, and names the field", async () => {
    const cursor = (text: string): string => `cursor=${Buffer.from(text).toString("base64url")}`;
    const wrong = [
      ["limit=0", "limit"],
      ["limit=101", "limit"],
      ["cursor=xyz", "cursor"],
      [cursor("[1e400,1]"), "cursor"],
      [cursor("[1.5,1]"), "cursor"],
      ["outcome=perhaps", "outcome"],
      ["from=yesterday", "from"],
      ["actor=%00", "actor"],
      ["colour=red", "colour"],
    ] as const;
    for (const [query, field] of wrong) {
      const answer = await ask("GET", `/api/admin/audit?${query}`);
      expect(answer, query).toMatchObject({ status: 400, text: expect.stringContaining(field) });
    }
  });
});
