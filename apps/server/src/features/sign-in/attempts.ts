import { hash } from "node:crypto";
import type { AttemptLimit, Attempts } from "../../identity-types.ts";
import type { Database } from "../../kit/database.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import type { SignInTables } from "./migrations.ts";

/** Of those who are over a limit, so that they cost the database nothing more. */
const MAX_REMEMBERED = 10_000;

export type AttemptCounters = Attempts & { removeExpired(): Promise<void> };

/** Counts in windows that begin with the first try. What is counted is hashed: no addresses are kept. */
export function createAttempts(database: () => Promise<Database>, wall: () => number): AttemptCounters {
  const overUntil = new Map<string, number>();

  return {
    async take(limit, who) {
      const key = hash("sha256", `${limit.name} ${networkOf(who)}`, "buffer");
      const name = key.toString("base64");
      const now = wall();
      const over = overUntil.get(name);
      if (over !== undefined) {
        if (now < over) throw tooMany(over - now);
        overUntil.delete(name);
      }
      const { count, ends } = await counted(key, limit, now);
      if (count <= limit.max) return;
      if (overUntil.size >= MAX_REMEMBERED) overUntil.clear();
      overUntil.set(name, ends);
      throw tooMany(ends - now);
    },
    async removeExpired() {
      await (await database()).write<SignInTables, unknown>(
        (db) => db.deleteFrom("attempt_counter").where("ends_at", "<=", wall()).execute(),
        { lock: null },
      );
    },
  };

  /** One statement: of several servers, none loses another's try. */
  async function counted(key: Buffer, { perMs }: AttemptLimit, now: number): Promise<{ count: number; ends: number }> {
    const row = await (await database()).write<SignInTables, { count: number; ends_at: number }>(
      (db) =>
        db
          .insertInto("attempt_counter")
          .values({ who: key, started_at: now, ends_at: now + perMs, count: 1 })
          .onConflict((conflict) =>
            conflict.column("who").doUpdateSet(({ eb, ref, case: choose }) => {
              const isOver = eb("attempt_counter.ends_at", "<=", now);
              return {
                count: choose()
                  .when(isOver)
                  .then(1)
                  .else(eb("attempt_counter.count", "+", 1))
                  .end(),
                started_at: choose().when(isOver).then(now).else(ref("attempt_counter.started_at")).end(),
                ends_at: choose()
                  .when(isOver)
                  .then(now + perMs)
                  .else(ref("attempt_counter.ends_at"))
                  .end(),
              };
            }),
          )
          .returning(["count", "ends_at"])
          .executeTakeFirstOrThrow(),
      { lock: null },
    );
    return { count: row.count, ends: row.ends_at };
  }
}

/** Who has an IPv6 address has all of its /64. */
function networkOf(who: string): string {
  const full = /^[0-9a-f:]+$/i.test(who) && who.includes(":") ? expanded(who) : undefined;
  return full === undefined ? who.toLowerCase() : full.slice(0, 4).join(":");
}

function expanded(address: string): string[] {
  const [head = "", tail] = address.toLowerCase().split("::");
  const [front, back] = [head, tail ?? ""].map((part) => part.split(":").filter((each) => each !== ""));
  const missing = tail === undefined ? 0 : Math.max(0, 8 - (front?.length ?? 0) - (back?.length ?? 0));
  const groups = [...(front ?? []), ...new Array<string>(missing).fill("0"), ...(back ?? [])];
  return groups.map((group) => group.replace(/^0+(?=.)/, ""));
}

function tooMany(waitMs: number): ProblemError {
  const detail = "There were too many attempts: wait, and try again.";
  return new ProblemError("rate_limited", detail, { retryable: true, retryAfterMs: Math.max(1_000, waitMs) });
}
