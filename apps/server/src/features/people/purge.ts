import type { Audit, AuditActor, AuditEvent } from "../../kit/audit.ts";
import type { PurgePerson } from "../../kit/purge.ts";
import type { Departure } from "./departure.ts";

const SYSTEM: AuditActor = { type: "system", id: "system", name: "system" };

/** What has been deleted for long enough goes for good, and the audit log says so. */
export async function purge(departure: Departure, audit: Audit, before: PurgePerson): Promise<void> {
  const { people, organizations, heirs, failures } = await departure.purge(before);
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
  if (failures.length > 0)
    throw new AggregateError(failures, `Not all could be removed: ${failures.map(String).join("; ")}`);
}
