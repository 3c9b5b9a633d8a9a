import { createHash } from "node:crypto";
import type { JsonObject } from "@loom/core";
import type { BudgetNode, LedgerEntry, LedgerFollower } from "../../gateway-types.ts";
import type { AuditSeverity } from "../../kit/audit-events.ts";
import type { AuditEntry } from "./audit-entry.ts";

export type LlmEventsOptions = {
  readonly audit: {
    takes(severity: AuditSeverity): boolean;
    /** `onKept`: called once the event outlives this process, or is given up. */
    keep(entry: AuditEntry, onKept: () => void): Promise<void>;
  };
  /** Takes secrets out of a text. */
  readonly redact: (text: string) => string;
  readonly warn: (message: string, fields: { readonly error: string }) => void;
  /** Unix milliseconds. */
  readonly now: () => number;
};

/** Requests that differ in nothing but when they were. Rows come in the order in which requests end. */
type Group = { readonly key: string; first: LedgerEntry; last: LedgerEntry; readonly ids: string[] };

/** So long requests that were answered are collected. */
const WINDOW_MS = 60_000;
/** Requests that are in no event yet, at most. */
const MAX_OPEN = 10_000;
/** Requests of one event: their ids take some 4 KB. */
const MAX_IDS = 100;
/** Events that are passed on at once. */
const SLICE = 256;
/** Names that clients have given lately, without secrets: the same few come with every request. */
const MAX_NAMES = 1_000;

/**
 * Events of requests for models, made of the ledger's rows: one for those of a minute that have the same actor, model and
 * outcome, with their ids, by which the rows are found. What was not answered is told when its row is stored. No row goes
 * without an event; after a `kill -9` one may be in two.
 */
export class LlmEvents implements LedgerFollower {
  readonly #options: LlmEventsOptions;
  readonly #names = new Map<string, string>();
  readonly #nodes = new WeakMap<readonly BudgetNode[], string>();
  readonly #open = new Map<string, Group>();
  /** To be passed on, oldest first: full, or their time has come. */
  #due: Group[] = [];
  #keyed: { readonly last: LedgerEntry | undefined; readonly key: string } = { last: undefined, key: "" };
  #openIds = 0;
  #since = 0;
  /** Events on their way to the disk. */
  #leaving = 0;
  #telling: Promise<boolean> = Promise.resolve(true);

  constructor(options: LlmEventsOptions) {
    this.#options = options;
  }

  get isBehind(): boolean {
    return this.#openIds + this.#leaving > 0;
  }

  /** Only while the disk takes no events: else so many are passed on. */
  get isFull(): boolean {
    return this.#openIds >= MAX_OPEN;
  }

  see(entries: readonly LedgerEntry[]): void {
    const { audit, now } = this.#options;
    const takesAnswered = audit.takes("debug");
    if (this.#openIds === 0) this.#since = now();
    for (const entry of entries) {
      if (entry.outcome === "completed" && !takesAnswered) continue;
      const key = this.#keyOf(entry);
      const group = this.#open.get(key);
      this.#openIds += 1;
      if (group === undefined) {
        this.#open.set(key, { key, first: entry, last: entry, ids: [entry.id] });
        continue;
      }
      if (entry.at < group.first.at) group.first = entry;
      if (entry.at >= group.last.at) group.last = entry;
      if (group.ids.push(entry.id) < MAX_IDS) continue;
      this.#open.delete(key);
      this.#due.push(group);
    }
  }

  /** One after the other: what an earlier one has taken is passed on, too, when a later one resolves. */
  tell(what: { readonly all: boolean }): Promise<boolean> {
    this.#telling = this.#telling.then(() => this.#tell(what));
    return this.#telling;
  }

  async #tell({ all }: { readonly all: boolean }): Promise<boolean> {
    const { now } = this.#options;
    const isDue = all || this.isFull || Math.abs(now() - this.#since) >= WINDOW_MS;
    for (const group of this.#open.values()) {
      if (!isDue && group.first.outcome === "completed") continue;
      this.#open.delete(group.key);
      this.#due.push(group);
    }
    const onKept = (): void => {
      this.#leaving -= 1;
    };
    // Not all at once: the queue of events has room for a thousand at least, and gives up what it has no room for.
    while (this.#due.length > 0 && this.#leaving < SLICE) {
      const slice = this.#due.splice(0, SLICE);
      for (const { ids } of slice) this.#openIds -= ids.length;
      this.#leaving += slice.length;
      await Promise.allSettled(slice.map((group) => this.#pass(group, onKept)));
    }
    return this.#leaving === 0 && this.#due.length === 0;
  }

  /** A row that no event can be made of would else hold the files of all others for good. */
  async #pass(group: Group, onKept: () => void): Promise<void> {
    const { audit, warn } = this.#options;
    let event: AuditEntry;
    try {
      event = this.#eventOf(group);
    } catch (error) {
      warn("requests are in no event of the audit log: a row of the ledger is damaged", { error: String(error) });
      return onKept();
    }
    await audit.keep(event, onKept);
  }

  /** One after the other, they are often of the same requests. */
  #keyOf(entry: LedgerEntry): string {
    const { last } = this.#keyed;
    if (last === undefined || !isAlike(entry, last)) this.#keyed = { last: entry, key: this.#newKeyOf(entry) };
    return this.#keyed.key;
  }

  #newKeyOf({ nodes, subject, upstream, model, requestedModel, outcome, status, errorCode }: LedgerEntry): string {
    let charged = this.#nodes.get(nodes);
    if (charged === undefined) {
      charged = JSON.stringify(nodes.map(({ kind, id }) => [kind, id]));
      this.#nodes.set(nodes, charged);
    }
    return JSON.stringify([charged, subject, upstream, model, requestedModel, outcome, status, errorCode]);
  }

  #eventOf({ first, last, ids }: Group): AuditEntry {
    const isAnswered = first.outcome === "completed";
    const details: Writable<JsonObject> = {
      upstream: this.#clean(first.upstream),
      model: this.#clean(first.model),
      requestedModel: this.#clean(first.requestedModel),
      status: first.status,
      outcome: first.outcome,
    };
    if (first.errorCode !== undefined) details.errorCode = this.#clean(first.errorCode);
    if (ids.length > 1) {
      details.requests = ids.length;
      details.since = new Date(first.at).toISOString();
      details.requestIds = ids;
    }
    const organization = first.nodes.find(({ kind }) => kind === "organization")?.id;
    return {
      id: idOf(last.at, ids),
      at: last.at,
      event: isAnswered ? "llm.completed" : "llm.failed",
      severity: isAnswered ? "debug" : "info",
      outcome: isAnswered ? "success" : first.outcome === "refused" ? "denied" : "failure",
      actor: actorOf(first.nodes, this.#clean(first.subject)),
      requestId: last.id,
      ...(organization === undefined ? {} : { organization }),
      details,
    };
  }

  #clean(name: string): string {
    let known = this.#names.get(name);
    if (known === undefined) {
      known = this.#options.redact(name).slice(0, 256).toWellFormed().replaceAll("\0", "");
      if (this.#names.size >= MAX_NAMES) this.#names.clear();
      this.#names.set(name, known);
    }
    return known;
  }
}

/** Whether both belong to the same event. */
function isAlike(one: LedgerEntry, other: LedgerEntry): boolean {
  return (
    one.nodes === other.nodes &&
    one.subject === other.subject &&
    one.upstream === other.upstream &&
    one.model === other.model &&
    one.requestedModel === other.requestedModel &&
    one.outcome === other.outcome &&
    one.status === other.status &&
    one.errorCode === other.errorCode
  );
}

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };

/** The same for the same requests, so that what is told again is known; a UUIDv8 (RFC 9562) that begins with the time. */
function idOf(at: number, requestIds: readonly string[]): string {
  const time = Math.max(Math.round(at), 0).toString(16).padStart(12, "0").slice(-12);
  const digest = createHash("sha256").update(JSON.stringify(requestIds)).digest("hex");
  const uuid = [
    time.slice(0, 8),
    time.slice(8),
    `8${digest.slice(0, 3)}`,
    `8${digest.slice(3, 6)}`,
    digest.slice(6, 18),
  ];
  return `audit-${uuid.join("-")}`;
}

/** The ledger knows names, and the nodes that are charged: the first of them is the one who asked, or his key. */
function actorOf(nodes: readonly BudgetNode[], name: string): AuditEntry["actor"] {
  const [node] = nodes;
  if (node === undefined) return { type: "system", id: name, name };
  const person = nodes.find(({ kind }) => kind === "user");
  if (person !== undefined) {
    const user = { type: "user", id: person.id, name } as const;
    return node.kind === "api_key" ? { ...user, via: { type: "key", id: node.id } } : user;
  }
  if (node.kind !== "token") return { type: "organization_key", id: node.id, name };
  return node.id === "owner" ? { type: "owner", id: "owner", name: "owner" } : { type: "token", id: node.id, name };
}
