import { randomUUIDv7 } from "node:crypto";
import type { JsonObject, JsonValue } from "@loom/core";
import type { AuditActor, AuditEvent, AuditFacts } from "../../kit/audit.ts";
import { AUDIT_EVENTS, type AuditSeverity } from "../../kit/audit-events.ts";

/** An event as it is kept, sent on and read again: complete, without secrets, and of bounded size. */
export type AuditEntry = {
  /** `audit-` and a UUIDv7; the same wherever the event goes. */
  readonly id: string;
  /** Unix milliseconds. */
  readonly at: number;
  readonly event: string;
  readonly severity: AuditSeverity;
  readonly outcome: AuditEvent["outcome"];
  readonly actor: AuditActor;
  readonly target?: NonNullable<AuditEvent["target"]>;
  readonly organization?: string;
  readonly address?: string;
  /** Country, region or city of the address, as far as it is known. */
  readonly place?: string;
  readonly requestId?: string;
  readonly userAgent?: string;
  readonly policy?: string;
  readonly before?: JsonObject;
  readonly after?: JsonObject;
  readonly details?: JsonObject;
};

export type Entering = {
  /** Takes secrets out of a text. */
  readonly redact: (text: string) => string;
  /** Unix milliseconds. */
  readonly at: number;
  /** Of the address that the request came from, as far as it is known. */
  readonly place?: string | undefined;
};

/** Characters of a name, an id, an address... */
const MAX_TEXT = 256;
/** Bytes of `before`, `after` and `details` each, as JSON. */
const MAX_FACTS_BYTES = 8_192;
const MAX_DEPTH = 8;
/** What does not fit is left out before anything is done with it: a list of a million things costs nobody anything. */
const MAX_MEMBERS = 200;

/** The event with when and where, and without what must not be kept. */
export function entryOf(event: AuditEvent, { redact, at, place }: Entering): AuditEntry {
  const text = (value: string): string => cut(redact(value), MAX_TEXT);
  const facts = (value: AuditFacts): JsonObject => boundedFacts(cleanObject(value, redact, 0));
  const { actor, target, organization, origin, policy, before, after, details } = event;
  return {
    id: `audit-${randomUUIDv7()}`,
    at,
    event: event.event,
    severity: event.severity ?? AUDIT_EVENTS[event.event][0],
    outcome: event.outcome,
    actor: cleanActor(actor, text),
    ...(target === undefined ? {} : { target: cleanTarget(target, text) }),
    ...(organization === undefined ? {} : { organization: text(organization) }),
    ...(origin === undefined ? {} : { address: text(origin.address), requestId: text(origin.requestId) }),
    ...(place === undefined ? {} : { place: text(place) }),
    ...(origin?.userAgent === undefined ? {} : { userAgent: text(origin.userAgent) }),
    ...(policy === undefined ? {} : { policy: text(policy) }),
    ...(before === undefined ? {} : { before: facts(before) }),
    ...(after === undefined ? {} : { after: facts(after) }),
    ...(details === undefined ? {} : { details: facts(details) }),
  };
}

export function familyOf(event: string): string {
  return event.slice(0, Math.max(event.indexOf("."), 0));
}

type Text = (value: string) => string;

function cleanActor({ type, id, name, via, impersonator }: AuditActor, text: Text): AuditActor {
  return {
    type,
    id: text(id),
    name: text(name),
    ...(via === undefined ? {} : { via: { type: via.type, id: text(via.id) } }),
    ...(impersonator === undefined
      ? {}
      : { impersonator: { id: text(impersonator.id), name: text(impersonator.name) } }),
  };
}

function cleanTarget({ type, id, name }: NonNullable<AuditEvent["target"]>, text: Text) {
  return { type: text(type), id: text(id), ...(name === undefined ? {} : { name: text(name) }) };
}

/**
 * What every database keeps as it is: no NUL, no half of a character. Otherwise its hash would not fit afterwards. Only
 * after the secrets are out: half a secret would not be known as one.
 */
function cut(text: string, max: number): string {
  const whole = text.slice(0, max).toWellFormed();
  return whole.includes("\0") ? whole.replaceAll("\0", "") : whole;
}

function cleanObject(value: AuditFacts, redact: Text, depth: number): JsonObject {
  const members = Object.entries(value).slice(0, MAX_MEMBERS);
  return Object.fromEntries(
    members.flatMap(([name, member]) =>
      member === undefined ? [] : [[cut(redact(name), MAX_TEXT), cleanValue(member, redact, depth + 1)]],
    ),
  );
}

function cleanValue(value: Fact, redact: Text, depth: number): JsonValue {
  if (typeof value === "string") return cut(redact(value), MAX_FACTS_BYTES);
  if (value === undefined || value === null) return null;
  if (typeof value !== "object") return value;
  if (depth > MAX_DEPTH) return "left out: too deep";
  if (isList(value)) return value.slice(0, MAX_MEMBERS).map((member) => cleanValue(member, redact, depth + 1));
  return cleanObject(value, redact, depth);
}

type Fact = AuditFacts[string];

function isList(value: Fact): value is readonly Fact[] {
  return Array.isArray(value);
}

function boundedFacts(facts: JsonObject): JsonObject {
  const bytes = Buffer.byteLength(JSON.stringify(facts));
  return bytes > MAX_FACTS_BYTES ? { leftOut: `too large: ${bytes} bytes` } : facts;
}
