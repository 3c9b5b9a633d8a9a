import { type RawBuilder, sql } from "kysely";
import type { Database } from "./database.ts";

/** Gives an expression in SQL: Unix milliseconds. */
export type DatabaseClock = (database: Database) => RawBuilder<number>;

/**
 * The clock by which leases end. Servers on one PostgreSQL have clocks of their own, which differ, so it is the
 * database's; SQLite is on this machine.
 */
export const databaseClock: DatabaseClock = ({ engine }) =>
  engine === "postgres" ? sql<number>`(extract(epoch from clock_timestamp()) * 1000)::bigint` : fixed(Date.now());

/** For tests that set the time. */
export function clockThatSays(now: () => number): DatabaseClock {
  return () => fixed(now());
}

function fixed(ms: number): RawBuilder<number> {
  return sql<number>`cast(${Math.floor(ms)} as bigint)`;
}
