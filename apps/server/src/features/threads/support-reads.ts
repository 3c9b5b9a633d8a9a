import type { AuditEvent } from "../../kit/audit.ts";
import type { Call } from "../../kit/call.ts";
import type { Subject } from "../../kit/subject.ts";
import type { ThreadStore } from "./store.ts";
import { resourceOf } from "./thread-row.ts";

/** The policy by which people of the support read what an owner has let them read. */
const POLICY = "threads.support";

type Reading = {
  readonly subject: Subject;
  readonly call: Pick<Call, "authorize">;
  readonly audit: (event: Omit<AuditEvent, "actor" | "origin">) => Promise<void> | undefined;
};

/**
 * Records that somebody reads threads by the support's access and by nothing else, so that their owners can be told who
 * looked. Costs nothing for all others.
 */
export async function noteSupportReads(
  { store, now }: { readonly store: Pick<ThreadStore, "access">; readonly now: () => number },
  ids: Iterable<string>,
  { subject, call, audit }: Reading,
): Promise<void> {
  if (!isOfSupport(subject)) return;
  for (const id of new Set(ids)) {
    const row = await store.access(id);
    if (row === undefined || row.owner === subject.id) continue;
    const { allowed, policy } = call.authorize(subject, "read", resourceOf(row, now()));
    if (!allowed || policy !== POLICY) continue;
    await audit({ event: "support_access.used", outcome: "success", target: { type: "thread", id } });
  }
}

function isOfSupport(subject: Subject): subject is Extract<Subject, { type: "user" }> {
  if (subject.type !== "user") return false;
  return subject.globalRoles.includes("support") || subject.globalRoles.includes("system_admin");
}
