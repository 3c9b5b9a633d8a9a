import type { AuditEvent } from "../../kit/audit.ts";
import type { AuditEventName } from "../../kit/audit-events.ts";

/** What anybody can make happen as often as he likes. */
const FLOODS: ReadonlySet<AuditEventName> = new Set<AuditEventName>([
  "access.denied",
  "access.unauthenticated",
  "access.rate_limited",
  "sign_in.started",
  "sign_in.failed",
  "factor.failed",
  "magic_link.requested",
  "device_code.requested",
]);

const WINDOW_MS = 60_000;
/** So many rows a minute an attacker with many addresses can cause at most, and as many with the counts. */
const MAX_KEYS = 1_000;

type Window = { readonly event: AuditEvent; readonly since: number; more: number };

/**
 * Lets the first event of a kind, from one address, by one actor, about one thing through, and counts the others for a
 * minute: then they are one event more, whose `details.repeated` says how many. With more than 1,000 of these at a time,
 * the rest is told apart by what happened alone. Memory and disk are bounded, and no attempt goes without a trace.
 */
export class FloodGate {
  readonly #pass: (event: AuditEvent) => Promise<void> | undefined;
  readonly #now: () => number;
  readonly #windows = new Map<string, Window>();

  constructor(pass: (event: AuditEvent) => Promise<void> | undefined, now: () => number) {
    this.#pass = pass;
    this.#now = now;
  }

  record(event: AuditEvent): Promise<void> | undefined {
    if (!FLOODS.has(event.event)) return this.#pass(event);
    const key = this.#keyOf(event);
    const window = this.#windows.get(key);
    if (window !== undefined && this.#now() - window.since < WINDOW_MS) {
      window.more += 1;
      return undefined;
    }
    if (window !== undefined) this.#close(key, window);
    this.#windows.set(key, { event, since: this.#now(), more: 0 });
    return this.#pass(event);
  }

  /** Tells of what was counted; `all`: also of minutes that are not over yet. */
  sweep({ all }: { readonly all: boolean }): void {
    for (const [key, window] of this.#windows) {
      if (all || this.#now() - window.since >= WINDOW_MS) this.#close(key, window);
    }
  }

  #close(key: string, { event, since, more }: Window): void {
    this.#windows.delete(key);
    if (more === 0) return;
    const details = { ...event.details, repeated: more, since: new Date(since).toISOString() };
    void this.#pass({ ...event, details });
  }

  #keyOf({ event, origin, actor, target }: AuditEvent): string {
    const key = JSON.stringify([event, networkOf(origin?.address), actor.type, actor.id, target?.type, target?.id]);
    return this.#windows.has(key) || this.#windows.size < MAX_KEYS ? key : event;
  }
}

/** Whoever has one IPv6 address has the 2^64 others of its network, too. */
function networkOf(address = ""): string {
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.split("::");
  const left = head.split(":").filter((part) => part !== "");
  const right = tail === undefined ? [] : tail.split(":").filter((part) => part !== "");
  const groups = [...left, ...Array.from({ length: Math.max(8 - left.length - right.length, 0) }, () => "0"), ...right];
  return groups.slice(0, 4).join(":");
}
