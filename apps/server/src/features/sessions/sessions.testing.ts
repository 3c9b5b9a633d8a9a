// What the tests of sessions and of signing in share: a database with people and sessions, and servers on it.
import type { Users } from "../../identity-types.ts";
import type { AuditEvent } from "../../kit/audit.ts";
import type { Engine, TestDatabase } from "../../kit/engines.testing.ts";
import { testDatabase } from "../../kit/engines.testing.ts";
import { SILENT_LOG } from "../../kit/log.ts";
import type { MigrationSet } from "../../kit/migrations.ts";
import { ChangeFeed } from "../people/change-feed.ts";
import { type PeopleTables, migrations as peopleMigrations } from "../people/migrations.ts";
import { changesSince } from "../people/person-store.ts";
import { createUsers } from "../people/users.ts";
import { migrations } from "./migrations.ts";
import { createSessionService, SESSION_LIMITS, type SessionService } from "./service.ts";
import { createSessionStore } from "./store.ts";

export const ORIGIN = { requestId: "req-1", address: "8.8.8.8", userAgent: "curl/8.1" };
export const DAY_MS = 86_400_000;

/** One server's people and sessions. */
export type Node = {
  readonly users: Users;
  readonly sessions: SessionService;
  readonly events: readonly AuditEvent[];
  /** What its jobs do every second. */
  follow(): Promise<void>;
};

export type SessionHouse = {
  readonly home: TestDatabase;
  /** Moves the clocks of all servers. */
  pass(ms: number): void;
  now(): number;
  /** Another server on the same database. */
  node(): Promise<Node>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** `further`: tables of other features in the same database. */
export async function sessionHouse(engine: Engine, further: readonly MigrationSet[] = []): Promise<SessionHouse> {
  let now = Date.UTC(2026, 10, 20);
  const home = await testDatabase(engine, [
    { feature: "people", migrations: peopleMigrations },
    { feature: "sessions", migrations },
    ...further,
  ]);
  return {
    home,
    pass(ms) {
      now += ms;
    },
    now: () => now,
    async node() {
      const opened = await home.open();
      const database = async () => opened;
      const feed = new ChangeFeed((revision) => changesSince(opened.tables<PeopleTables>(), revision));
      const users = createUsers({ database, feed });
      const events: AuditEvent[] = [];
      const sessions = createSessionService({
        store: createSessionStore(database),
        users,
        limits: SESSION_LIMITS,
        clock: { wall: () => now, monotonic: () => now },
        countryOf: async (address) => (address === "8.8.8.8" ? "US" : undefined),
        audit: { record: (event) => void events.push(event) },
        log: SILENT_LOG,
      });
      return {
        users,
        sessions,
        events,
        async follow() {
          await feed.follow();
          await sessions.followEnds();
        },
      };
    },
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
  };
}

/** As an administrator does it; here until a server says so. */
export async function setPerson(
  house: SessionHouse,
  id: string,
  change: { readonly disabled?: boolean; readonly globalRoles?: readonly string[] },
): Promise<void> {
  const database = await house.home.open();
  await database.write<PeopleTables, void>(async (db) => {
    const newest = await db
      .selectFrom("person")
      .select(({ fn }) => fn.max("revision").as("revision"))
      .executeTakeFirst();
    await db
      .updateTable("person")
      .set({
        revision: (newest?.revision ?? 0) + 1,
        ...(change.disabled === undefined
          ? {}
          : { disabled_at: change.disabled ? new Date(house.now()).toISOString() : null }),
        ...(change.globalRoles === undefined ? {} : { global_roles: JSON.stringify(change.globalRoles) }),
      })
      .where("id", "=", id)
      .execute();
  });
}
