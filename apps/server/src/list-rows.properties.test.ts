// Every list whose rows are filtered in SQL, on random worlds: it holds what the policies let somebody read, row by row.
import type { ThreadId } from "@loom/core";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ApiKeyTables } from "./features/api-keys/migrations.ts";
import { createKeyStore, type KeyStore } from "./features/api-keys/store.ts";
import { auditBatch } from "./features/audit/audit-query.ts";
import type { AuditTables } from "./features/audit/migrations.ts";
import { readableRows } from "./features/audit/routes.ts";
import { MIGRATIONS } from "./features/migrations.ts";
import { people } from "./features/people/index.ts";
import type { PeopleTables } from "./features/people/migrations.ts";
import {
  anyOwnPolicies,
  anySubject,
  decidedWith,
  ORGANIZATIONS,
  TEAMS,
  USERS,
} from "./features/policy/worlds.testing.ts";
import { createThread } from "./features/threads/changes.ts";
import { CommitQueue } from "./features/threads/commit-queue.ts";
import { readRecords } from "./features/threads/incoming-records.ts";
import type { ThreadTables } from "./features/threads/migrations.ts";
import { createSearchService, type SearchService } from "./features/threads/search/search-service.ts";
import { createThreadStore, type ThreadStore } from "./features/threads/store.ts";
import { resourceOf, type ThreadAccess } from "./features/threads/thread-row.ts";
import { headerOf, newThreadId, said, text } from "./features/threads/threads.testing.ts";
import { readableThreads } from "./features/threads/visible-threads.ts";
import type { Database } from "./kit/database.ts";
import { engines, type TestDatabase, testDatabase } from "./kit/engines.testing.ts";
import { testKit } from "./kit/kit.testing.ts";
import type { Action, Authorize, Resource } from "./kit/policy.ts";
import type { Subject } from "./kit/subject.ts";
import type { COMPARED } from "./list-proofs.testing.ts";

const AT = "2026-01-01T00:00:00.000Z";
const LATER = "2126-01-01T00:00:00.000Z";
const NOW = Date.parse("2026-06-01T00:00:00.000Z");
const PAGE = { limit: 100 };

/** Of everybody one in each visibility, one that the support may read, and one for which that is over. */
const THREADS: readonly (ThreadAccess & { readonly id: ThreadId })[] = USERS.flatMap((owner) =>
  [
    { visibility: "private" },
    { visibility: "team", team: "team-1" },
    { visibility: "organization" },
    { visibility: "public" },
    { visibility: "private", support_until: LATER },
    { visibility: "private", support_until: AT },
  ].map((each) => ({
    ...{ id: newThreadId(), owner, organization: "org-1", team: null, support_until: null },
    ...{ deleted_at: null, purged: 0 },
    ...each,
  })),
);

/** In every thread. */
const WORD = "zebra";
const COMMIT = "deadbee1234567890abcdef1234567890abcdef1";

type Visibility = "private" | "unlisted" | "public";
const anyVisibilities = fc.tuple(
  ...ORGANIZATIONS.map(() => fc.constantFrom<Visibility>("private", "unlisted", "public")),
);

describe.each(engines)("on $name", { timeout: 120_000 }, (engine) => {
  let home: TestDatabase;
  let database: Database;
  /** Of the world that is asked about at the moment. */
  let rules: Awaited<ReturnType<typeof decidedWith>>;
  let services: ReturnType<typeof people.build>["services"];
  let keys: KeyStore;
  let threadStore: ThreadStore;
  let search: SearchService;

  beforeAll(async () => {
    home = await testDatabase(engine, MIGRATIONS);
    database = await home.open();
    const filter: typeof rules.filter = (...asked) => rules.filter(...asked);
    const kit = testKit(database);
    const nobody = (): never => {
      throw new Error("Nobody signs in here.");
    };
    const mail = { isSetUp: false, send: () => {}, settled: async () => {} };
    services = people.build(kit, {
      sessions: nobody,
      attempts: nobody,
      mail,
      filter,
      requireRecent: async () => {},
    }).services;
    keys = createKeyStore(kit.database, filter);
    threadStore = createThreadStore(kit.database, { visible: readableThreads(filter), now: () => NOW });
    await settle(database);
    search = createSearchService({
      ...{ database: kit.database, visible: readableThreads(filter), now: () => NOW, log: kit.log },
      outputs: { read: async () => undefined },
    });
    await search.catchUp(new AbortController().signal);
  });
  afterAll(async () => {
    await search.close();
    await home[Symbol.asyncDispose]();
  });

  /** What each list gives to somebody, as ids, and what it is to give. */
  const lists: Readonly<
    Record<keyof typeof COMPARED, (subject: Subject, visibilities: readonly Visibility[]) => Promise<Pair>>
  > = {
    async organizations(subject, visibilities) {
      const { organizations } = await services.organizations.list(subject, { ...PAGE, which: "all" });
      const rows = ORGANIZATIONS.map((id, index) => {
        return { type: "organization", id, organization: id, visibility: visibilities[index] ?? "private" } as const;
      });
      return { listed: organizations.map(({ id }) => id), allowed: allowed(subject, rows, "read", "list") };
    },
    async "one's own organizations"(subject, visibilities) {
      const { organizations } = await services.organizations.list(subject, { ...PAGE, which: "mine" });
      const isMine = (id: string): boolean =>
        subject.type === "organization_key"
          ? subject.organization === id
          : subject.type === "user" && isMember(subject.id, id);
      const rows = ORGANIZATIONS.map((id, index) => {
        return { type: "organization", id, organization: id, visibility: visibilities[index] ?? "private" } as const;
      }).filter(({ id }) => isMine(id));
      return { listed: organizations.map(({ id }) => id), allowed: allowed(subject, rows, "read", "list") };
    },
    async members(subject) {
      const { members } = await services.members.list(subject, "org-1", PAGE);
      const rows = USERS.filter((id) => isMember(id, "org-1")).map((id) => {
        return { type: "membership", id, owner: id, organization: "org-1" } as const;
      });
      return { listed: members.map(({ userId }) => userId), allowed: allowed(subject, rows) };
    },
    async teams(subject) {
      const { teams } = await services.teams.list(subject, "org-1", PAGE);
      const rows = TEAMS.filter(({ organization }) => organization === "org-1").map(({ id, organization }) => {
        return { type: "team", id, team: id, organization } as const;
      });
      return { listed: teams.map(({ id }) => id), allowed: allowed(subject, rows) };
    },
    async "members of a team"(subject) {
      const { members } = await services.teams.members(subject, "org-1", "team-1", PAGE);
      const rows = USERS.map((id) => {
        return { type: "membership", id, owner: id, team: "team-1", organization: "org-1" } as const;
      });
      return { listed: members.map(({ userId }) => userId), allowed: allowed(subject, rows) };
    },
    async invitations(subject) {
      const { invitations } = await services.invitations.list(subject, "org-1", PAGE);
      const rows = [{ type: "invitation", id: "invitation-org-1", organization: "org-1" } as const];
      return { listed: invitations.map(({ id }) => id), allowed: allowed(subject, rows) };
    },
    async "requests to join"(subject) {
      const { requests } = await services.joining.list(subject, "org-1", PAGE);
      const rows = USERS.map((id) => ({ type: "invitation", id: `join-${id}`, organization: "org-1" }) as const);
      return { listed: requests.map(({ id }) => id), allowed: allowed(subject, rows) };
    },
    async "keys of an organization"(subject) {
      const found = await keys.list(subject, { type: "organization", id: "org-1" }, PAGE);
      const rows = [{ type: "api_key", id: "key-org-1", organization: "org-1" } as const];
      return { listed: found.map(({ id }) => id), allowed: allowed(subject, rows) };
    },
    async "keys of a person"(subject) {
      const found = await keys.list(subject, { type: "user", id: "user-1" }, PAGE);
      const rows = [{ type: "api_key", id: "key-user-1", owner: "user-1" } as const];
      return { listed: found.map(({ id }) => id), allowed: allowed(subject, rows) };
    },
    async "the audit log"(subject) {
      const range = { filter: {}, visible: readableRows(rules.filter, subject), behind: undefined };
      const { records } = await auditBatch(database.tables<AuditTables>(), range, 100);
      const rows = [
        { type: "audit", id: "audit-0" } as const,
        ...ORGANIZATIONS.map((organization, at) => ({ type: "audit", id: `audit-${at + 1}`, organization }) as const),
      ];
      return { listed: records.map(({ id }) => id), allowed: allowed(subject, rows) };
    },
    async threads(subject) {
      const { threads } = await threadStore.list(subject, PAGE);
      const rows = THREADS.map((row) => resourceOf(row, NOW));
      return { listed: threads.map(({ id }) => id), allowed: allowed(subject, rows) };
    },
    "threads found by what was said": (subject) => found(subject, WORD),
    "threads found by a commit": (subject) => found(subject, COMMIT.slice(0, 7)),
  };

  async function found(subject: Subject, query: string): Promise<Pair> {
    const { hits, indexing } = await search.search(subject, { ...PAGE, query });
    expect(indexing).toBe(false);
    const rows = THREADS.map((row) => resourceOf(row, NOW));
    return { listed: [...new Set(hits.map(({ thread }) => thread))], allowed: allowed(subject, rows) };
  }

  function allowed(subject: Subject, rows: readonly Resource[], ...actions: Action[]): string[] {
    const asked = actions.length === 0 ? (["read"] as const) : actions;
    return rows
      .filter((row) => asked.every((action) => decide(rules.decide, subject, action, row)))
      .map(({ id = "" }) => id);
  }

  test.each(Object.entries(lists))("%s: exactly the rows that one may read", async (name, list) => {
    let rowsSeen = 0;
    let rowsHidden = 0;
    await fc.assert(
      fc.asyncProperty(
        anyVisibilities,
        fc.array(anySubject, { minLength: 1, maxLength: 6 }),
        anyOwnPolicies,
        async (visibilities, subjects, own) => {
          rules = await decidedWith(own);
          if (name.includes("organizations")) await show(database, visibilities);
          for (const subject of subjects) {
            const pair = await list(subject, visibilities);
            expect(pair.listed.toSorted()).toEqual(pair.allowed.toSorted());
            if (pair.listed.length === 0) rowsHidden += 1;
            else rowsSeen += 1;
          }
        },
      ),
      { numRuns: 40 },
    );
    // Both happened: neither everything nor nothing would do.
    expect([rowsSeen > 0, rowsHidden > 0]).toEqual([true, true]);
  });
});

type Pair = { readonly listed: readonly string[]; readonly allowed: readonly string[] };

function decide(by: Authorize, subject: Subject, action: Action, resource: Resource): boolean {
  return by(subject, action, resource).allowed;
}

/** Who belongs where in the database, whatever the standing of those who ask. */
function isMember(user: string, organization: string): boolean {
  return user.at(-1) !== organization.at(-1);
}

async function show(database: Database, visibilities: readonly Visibility[]): Promise<void> {
  const db = database.tables<PeopleTables>();
  for (const [index, visibility] of visibilities.entries()) {
    const id = ORGANIZATIONS[index] ?? "";
    await db.updateTable("organization").set({ visibility }).where("id", "=", id).execute();
  }
}

/** A little of everything. */
async function settle(database: Database): Promise<void> {
  const db = database.tables<PeopleTables & AuditTables & ApiKeyTables & ThreadTables>();
  for (const id of USERS) {
    const name = id.replace("-", "");
    await db
      .insertInto("person")
      .values({
        ...{ id, username: name, username_key: name, display_name: name, email: `${name}@example.com`, show_email: 0 },
        ...{ locale: null, avatar_url: null, global_roles: "[]", created_at: AT, disabled_at: null, deleted_at: null },
        ...{ purged_at: null, version: 1, revision: 1 },
      })
      .execute();
  }
  for (const id of ORGANIZATIONS) {
    await db
      .insertInto("organization")
      .values({
        ...{ id, slug: id, name: id, description: "", visibility: "private", join_policy: "request" },
        require_second_factor: 0,
        ...{ personal_of: null, created_at: AT, deleted_at: null, version: 1 },
      })
      .execute();
    for (const user of USERS) {
      const row = { organization_id: id, person_id: user, role: "member", joined_at: AT };
      if (isMember(user, id)) await db.insertInto("organization_member").values(row).execute();
    }
    await db
      .insertInto("invitation")
      .values({
        ...{ id: `invitation-${id}`, organization_id: id, email: "eve@example.com", email_key: "eve@example.com" },
        ...{ role: "member", token_hash: Buffer.from(id), invited_by: "ada", created_at: AT, expires_at: LATER },
        ...{ state: "pending", answered_at: null },
      })
      .execute();
  }
  for (const { id, organization } of TEAMS) {
    const about = { slug: id, name: id, description: "", created_at: AT, version: 1 };
    await db
      .insertInto("team")
      .values({ id, organization_id: organization, ...about })
      .execute();
    for (const user of USERS) {
      const row = { team_id: id, person_id: user, role: "member", joined_at: AT };
      await db.insertInto("team_member").values(row).execute();
    }
  }
  for (const user of USERS) {
    const about = { message: "", created_at: AT, state: "pending", decided_at: null };
    await db
      .insertInto("join_request")
      .values({ id: `join-${user}`, organization_id: "org-1", person_id: user, ...about })
      .execute();
  }
  for (const owner of ["org-1", "org-2", "user-1", "user-2"]) {
    await db
      .insertInto("api_key")
      .values({
        ...{ id: `key-${owner}`, key_hash: Buffer.from(owner), owner_id: owner, name: "ci", scopes: "[]" },
        ...{ owner_type: owner.startsWith("org") ? "organization" : "user", last_four: "aaaa", created_at: AT },
        ...{ created_by: "user-1", created_by_name: "ada", expires_at: null, last_used_at: null, last_used_from: null },
        ...{ revoked_at: null, replaced_by: null, revision: 0, strong: 0 },
      })
      .execute();
  }
  for (const [index, organization] of [null, ...ORGANIZATIONS].entries()) {
    await db
      .insertInto("audit")
      .values({
        ...{ seq: index + 1, id: `audit-${index}`, at_ms: index, event: "session.created", family: "session" },
        ...{ severity: "info", outcome: "success", actor_type: "system", actor_id: "system", actor_name: "system" },
        ...{ organization, previous_hash: "", hash: "" },
      })
      .execute();
  }
  const queue = new CommitQueue(
    async () => database,
    () => NOW,
  );
  for (const { id, owner, organization, team, visibility, support_until } of THREADS) {
    const commit = text({ type: "commit", at: AT, sha: COMMIT, message: "Stripes" });
    const records = readRecords([headerOf(id), text(said(WORD)), commit], id);
    const wish = { withRecords: false, now: NOW };
    await queue.commit((context) => createThread(context, { id, owner, organization }, records, wish));
    await db.updateTable("thread").set({ team, visibility, support_until }).where("id", "=", id).execute();
  }
}
