import { hash } from "node:crypto";
import type { Kysely } from "kysely";
import type { Call } from "./call.ts";
import { ProblemError, wrongFields } from "./problem-reply.ts";
import { principalOf, type Subject } from "./subject.ts";

/** That something is to be made once, however often somebody asks for it with the same key. */
export type Once = {
  /** Whose key it is: those of others mean nothing here. */
  readonly owner: string;
  readonly key: string;
  /** Of what is asked for. */
  readonly fingerprint: string;
};

export type IdempotencyTables = {
  /** `made` is the id of what was made. The answer itself is not kept: it may hold what is shown once. */
  idempotency_key: { owner: string; key: string; fingerprint: string; made: string; used_at: number };
};

/** Milliseconds for which a key is known. */
export const IDEMPOTENCY_MS = 24 * 3_600_000;

/**
 * The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header) of a request that makes something;
 * `undefined` where there is none. `body` is what was asked for.
 * @throws ProblemError for a key that is none.
 */
export function onceOf(call: Call, subject: Subject, body: unknown): Once | undefined {
  const values = call.incoming.headersDistinct["idempotency-key"];
  if (values === undefined) return undefined;
  const [key = ""] = values;
  if (values.length > 1 || !/^[\x21-\x7e]{1,200}$/.test(key)) {
    throw wrongFields([{ field: "Idempotency-Key", message: "must be 1 to 200 printable characters, once" }]);
  }
  const { method, url } = call.incoming;
  return {
    owner: principalOf(subject),
    key,
    fingerprint: hash("sha256", JSON.stringify([method, url, body]), "base64url"),
  };
}

/** Of who is gone; within a `write`. */
export async function forgetOnce(transaction: unknown, owner: string): Promise<void> {
  await (transaction as Kysely<IdempotencyTables>).deleteFrom("idempotency_key").where("owner", "=", owner).execute();
}

/** Of what is gone; within a `write`. */
export async function forgetMade(transaction: unknown, ids: readonly string[]): Promise<void> {
  await (transaction as Kysely<IdempotencyTables>)
    .deleteFrom("idempotency_key")
    .where("made", "in", [...ids])
    .execute();
}

/**
 * Makes it, or gives the id of what was made with this key before. Within the `write` in which `make` writes, so that
 * there is never one without the other.
 * @throws ProblemError where the key was used for something else.
 */
export async function makeOnce(
  transaction: unknown,
  { once, now }: { readonly once: Once | undefined; readonly now: number },
  make: () => Promise<string>,
): Promise<{ readonly id: string; readonly repeated: boolean }> {
  if (once === undefined) return { id: await make(), repeated: false };
  const { owner, key, fingerprint } = once;
  const db = transaction as Kysely<IdempotencyTables>;
  await db
    .deleteFrom("idempotency_key")
    .where("used_at", "<=", now - IDEMPOTENCY_MS)
    .execute();
  const known = await db
    .selectFrom("idempotency_key")
    .select(["fingerprint", "made"])
    .where("owner", "=", owner)
    .where("key", "=", key)
    .executeTakeFirst();
  if (known !== undefined && known.fingerprint !== fingerprint) {
    throw new ProblemError("conflict", "This Idempotency-Key was used for another request: take a new one.", {
      errors: [{ field: "Idempotency-Key", message: "was used for another request" }],
    });
  }
  if (known !== undefined) return { id: known.made, repeated: true };
  const id = await make();
  await db.insertInto("idempotency_key").values({ owner, key, fingerprint, made: id, used_at: now }).execute();
  return { id, repeated: false };
}
