import type { AuditActor, AuditEvent } from "../../kit/audit.ts";
import type { Log } from "../../kit/log.ts";
import type { Metrics } from "../../kit/metrics.ts";
import { deviceName } from "../sessions/device-name.ts";
import type { PeopleDesk } from "./desk.ts";
import { FairQueue } from "./fair-queue.ts";
import { findOrganization } from "./organization-store.ts";
import { type Person, personById, personOf } from "./person-store.ts";
import { type Concerned, type Matter, matterOf, SECURITY_NEWS } from "./security-news.ts";
import type { SeenDevices } from "./seen-devices.ts";
import type { Telling } from "./telling.ts";

/** Events that wait in one lane; where it is full, who has the most in it loses one, which is counted and logged. */
const MAX_WAITING = 5_000;
/**
 * What one person, or the owners of one organization, are told of one event within an hour: so many mails say it. Counted
 * before anything waits, so that nobody fills what others wait in.
 */
const MAX_PER_HOUR = 20;
const HOUR_MS = 3_600_000;
/** Counters that are kept; the one that began first gives way. */
const MAX_COUNTERS = 20_000;
/** What is told yet when the server stops; milliseconds. */
const CLOSE_MS = 2_000;
/** Owners of one organization who are told. */
const MAX_OWNERS = 100;

export type SecurityWatch = {
  /** Of everything that is recorded. Never throws and never waits. */
  hear(event: AuditEvent): void;
  /** Tells what can be told within two seconds; the rest is dropped. */
  close(): Promise<void>;
};

export type SecurityWatchOptions = {
  readonly desk: PeopleDesk;
  readonly telling: Telling;
  readonly seen: SeenDevices;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Where people see what lets somebody in as them; nothing where the server does not know its address. */
  readonly accountUrl: string | undefined;
};

/** Listens to the audit log, and tells people, one after the other and off the way of every request. */
export function createSecurityWatch(options: SecurityWatchOptions): SecurityWatch {
  const { desk, telling, seen, log } = options;
  // What a crowd does takes no place from what seldom happens, nor its turn.
  const lanes: { readonly [matter in Matter]: FairQueue<AuditEvent> } = {
    account: new FairQueue(MAX_WAITING),
    membership: new FairQueue(MAX_WAITING),
    sign_in: new FairQueue(MAX_WAITING),
  };
  const counters = new Map<string, { readonly since: number; events: number }>();
  let work: Promise<void> | undefined;
  const count = options.metrics.counter({
    name: "loom_security_notices_total",
    help: "What people are told about the security of their accounts, by what became of it: told, failed, dropped, limited",
    labels: ["outcome"],
  });

  async function tellAll(): Promise<void> {
    for (;;) {
      const events = Object.values(lanes).flatMap((lane) => lane.shift() ?? []);
      if (events.length === 0) break;
      for (const event of events) await tellOrLog(event);
    }
    work = undefined;
  }

  async function tellOrLog(event: AuditEvent): Promise<void> {
    try {
      await tellOf(event);
    } catch (error) {
      count({ outcome: "failed" });
      log.error("people could not be told", { event: event.event, error: String(error) });
    }
  }

  async function tellOf(event: AuditEvent): Promise<void> {
    const news = SECURITY_NEWS[event.event]?.(event, await organizationName(event.organization));
    if (news === undefined) return;
    for (const person of await peopleIn(news.concerned)) {
      if (!(await isWorthIt(event, person))) continue;
      const { type, id, impersonator } = event.actor;
      const isSelf = type === "user" && id === person.id && impersonator === undefined;
      const text = news.text(isSelf ? "you" : nameOf(event.actor));
      // From where, only of what he may have done himself: others' addresses are theirs.
      const paragraphs = isSelf ? [whereFrom(event)] : [];
      await telling.tell(person, {
        kind: "security",
        subject: news.subject,
        text,
        paragraphs,
        footnote: advice(isSelf),
        ...(matterOf(event.event) === "account" ? {} : { lane: "other" }),
      });
      count({ outcome: "told" });
    }
  }

  async function organizationName(id: string | undefined): Promise<string> {
    const row = id === undefined ? undefined : await findOrganization(await desk.read(), id);
    return row?.slug ?? id ?? "";
  }

  async function peopleIn(concerned: Concerned): Promise<readonly Person[]> {
    const db = await desk.read();
    if (concerned.type === "person") {
      const person = await personById(db, concerned.id);
      return person === undefined || person.purgedAt !== null ? [] : [person];
    }
    const rows = await db
      .selectFrom("organization_member")
      .innerJoin("person", "person.id", "organization_member.person_id")
      .selectAll("person")
      .where("organization_member.organization_id", "=", concerned.organization)
      .where("organization_member.role", "=", "owner")
      .where("person.disabled_at", "is", null)
      .where("person.deleted_at", "is", null)
      .orderBy("person.id")
      .limit(MAX_OWNERS)
      .execute();
    return rows.map(personOf);
  }

  /** Not of each sign-in, and not of what an account begins with. */
  async function isWorthIt({ event, details }: AuditEvent, { id }: Person): Promise<boolean> {
    if (event === "identity.linked") return details?.isFirst !== true;
    if (event !== "session.created") return true;
    const { device, country } = details ?? {};
    return seen.isNew(id, { device: String(device ?? ""), country: typeof country === "string" ? country : "" });
  }

  /** Whether the concerned were told of such an event often enough within this hour. */
  function isTooOften(event: AuditEvent, concerned: Concerned): boolean {
    const now = desk.wall();
    const key = counterOf(event, concerned);
    let counter = counters.get(key);
    if (counter === undefined || now - counter.since >= HOUR_MS) {
      // Anew at the end: what began first stands first.
      counters.delete(key);
      for (const [first] of counters) {
        if (counters.size < MAX_COUNTERS) break;
        counters.delete(first);
      }
      counter = { since: now, events: 0 };
      counters.set(key, counter);
    }
    counter.events += 1;
    if (counter.events <= MAX_PER_HOUR) return false;
    count({ outcome: "limited" });
    if (counter.events === MAX_PER_HOUR + 1) {
      log.warn("somebody is told no more of one event for up to an hour", {
        event: event.event,
        concerned: JSON.stringify(concerned),
      });
    }
    return true;
  }

  function drop(events: number): void {
    if (events === 0) return;
    count({ outcome: "dropped" }, events);
    log.error("people are not told of everything", { events });
  }

  function advice(isSelf: boolean): string {
    const where = options.accountUrl ?? "the page of your account";
    return isSelf
      ? `If this was not you: at ${where}, sign out everywhere, look through your second factors and keys, and tell an administrator of this server.`
      : "If you did not expect this, ask them, or an administrator of this server.";
  }

  return {
    hear(event) {
      if (event.outcome !== "success") return;
      const concerned = SECURITY_NEWS[event.event]?.(event, "")?.concerned;
      if (concerned === undefined || isTooOften(event, concerned)) return;
      drop(lanes[matterOf(event.event)].push(senderOf(event), event));
      work ??= tellAll();
    },
    async close() {
      const late = setTimeout(() => drop(Object.values(lanes).reduce((sum, lane) => sum + lane.clear(), 0)), CLOSE_MS);
      while (work !== undefined) await work;
      clearTimeout(late);
    },
  };
}

/** Who fills what others wait in; an organization's keys are one, since it makes them as it likes. */
function senderOf({ actor: { type, id, impersonator }, organization }: AuditEvent): string {
  return impersonator?.id ?? (type === "organization_key" ? (organization ?? id) : id);
}

/** Sign-ins count by where they are from: many from one place do not hide the first one from another. */
function counterOf({ event, details }: AuditEvent, concerned: Concerned): string {
  const { device = "", country = "" } = event === "session.created" ? (details ?? {}) : {};
  return JSON.stringify([event, concerned, device, country]);
}

function nameOf({ type, name, impersonator }: AuditActor): string {
  if (impersonator !== undefined) return `${impersonator.name}, in the place of ${name},`;
  switch (type) {
    case "owner":
      return "whoever runs this server";
    case "system":
      return "the server itself";
    case "token":
      return `the access token ${JSON.stringify(name)}`;
    case "organization_key":
      return `the API key ${JSON.stringify(name)}`;
    default:
      return name;
  }
}

function whereFrom({ origin, details }: AuditEvent): string {
  const device = typeof details?.device === "string" ? details.device : deviceName(origin?.userAgent);
  const country = typeof details?.country === "string" ? ` (${details.country})` : "";
  return `With ${device}, from ${origin?.address ?? "an unknown address"}${country}.`;
}
