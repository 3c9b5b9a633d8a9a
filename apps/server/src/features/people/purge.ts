import type { Audit, AuditActor, AuditEvent } from "../../kit/audit.ts";
import type { Purge } from "../../kit/purge.ts";
import type { Purging } from "./purging.ts";

/** In the log, at a time. */
const MAX_SHOWN = 10;

const SYSTEM: AuditActor = { type: "system", id: "system", name: "system" };

/** What has been deleted for long enough goes for good, and the audit log says so. @throws AggregateError */
export async function purge(purging: Purging, audit: Audit, elsewhere: Purge): Promise<void> {
  const { people, organizations, heirs, failures } = await purging.purge(elsewhere);
  const record = (event: Omit<AuditEvent, "actor" | "outcome">) =>
    audit.record({ ...event, actor: SYSTEM, outcome: "success" });
  for (const { id, username } of people) {
    await record({ event: "user.deleted", target: { type: "user", id, name: username } });
  }
  for (const { id, slug } of organizations) {
    await record({ event: "organization.purged", target: { type: "organization", id, name: slug }, organization: id });
  }
  for (const { organization, person, was } of heirs) {
    await record({
      event: "member.role_changed",
      target: { type: "user", id: person.id, name: person.username },
      organization,
      before: { role: was },
      after: { role: "owner" },
      details: { reason: "the last owner's account is gone" },
    });
  }
  if (failures.length === 0) return;
  const shown = failures.slice(0, MAX_SHOWN).map(({ id, error }) => `${id}: ${String(error)}`);
  throw new AggregateError(
    failures.map(({ error }) => error),
    `${failures.length} could not be removed and will be tried again: ${shown.join("; ")}`,
  );
}
