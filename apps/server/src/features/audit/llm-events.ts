import { randomUUIDv7 } from "node:crypto";
import type { JsonObject } from "@loom/core";
import type { Ledger, LedgerEntry } from "../../gateway-types.ts";
import type { AuditEntry } from "./audit-entry.ts";

/** Names that clients have given lately, without secrets: the same few come with every request. */
const MAX_NAMES = 1_000;

/**
 * A ledger that also tells the audit log of each request for a model. The event has the request's own id, by which its row
 * in the ledger is found, and no copy of what that row says of tokens and money.
 */
export function withLlmEvents(
  ledger: Ledger,
  audit: { pass(entry: AuditEntry): void },
  redact: (text: string) => string,
): Ledger {
  const names = new Map<string, string>();
  const clean = (name: string): string => {
    let known = names.get(name);
    if (known === undefined) {
      known = redact(name).slice(0, 256).toWellFormed().replaceAll("\0", "");
      if (names.size >= MAX_NAMES) names.clear();
      names.set(name, known);
    }
    return known;
  };
  return {
    record(entry) {
      ledger.record(entry);
      audit.pass(eventOf(entry, clean));
    },
    healthy: () => ledger.healthy(),
  };
}

/** Members are set one by one: this is done for each request, and spreading costs several times as much. */
function eventOf(entry: LedgerEntry, clean: (name: string) => string): AuditEntry {
  const isAnswered = entry.outcome === "completed";
  const details: Writable<JsonObject> = {
    upstream: clean(entry.upstream),
    model: clean(entry.model),
    requestedModel: clean(entry.requestedModel),
    status: entry.status,
    outcome: entry.outcome,
  };
  if (entry.errorCode !== undefined) details.errorCode = entry.errorCode;
  const event: Writable<AuditEntry> = {
    id: `audit-${randomUUIDv7()}`,
    at: entry.at,
    event: isAnswered ? "llm.completed" : "llm.failed",
    severity: isAnswered ? "debug" : "info",
    outcome: isAnswered ? "success" : entry.outcome === "refused" ? "denied" : "failure",
    actor: actorOf(entry),
    requestId: entry.id,
    details,
  };
  const organization = entry.nodes.find(({ kind }) => kind === "organization")?.id;
  if (organization !== undefined) event.organization = organization;
  return event;
}

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };

/** The ledger knows names, and the nodes that are charged: the first of them is the one who asked, or his key. */
function actorOf({ subject, nodes }: LedgerEntry): AuditEntry["actor"] {
  const [node] = nodes;
  if (node === undefined) return { type: "system", id: subject, name: subject };
  const person = nodes.find(({ kind }) => kind === "user");
  if (person !== undefined) {
    const user = { type: "user", id: person.id, name: subject } as const;
    return node.kind === "api_key" ? { ...user, via: { type: "key", id: node.id } } : user;
  }
  if (node.kind !== "token") return { type: "organization_key", id: node.id, name: subject };
  return node.id === "owner"
    ? { type: "owner", id: "owner", name: "owner" }
    : { type: "token", id: node.id, name: subject };
}
