import type { AuditEventName, AuditSeverity } from "./audit-events.ts";
import { nameOf, principalOf, type Subject } from "./subject.ts";

/** Where a request came from. */
export type RequestOrigin = {
  readonly requestId: string;
  readonly address: string;
  /** At most 200 characters. */
  readonly userAgent?: string;
};

export type AuditActor = {
  readonly type: Subject["type"] | "system";
  readonly id: string;
  readonly name: string;
  /** The session or key that the request came with. */
  readonly via?: { readonly type: "session" | "key"; readonly id: string };
  readonly impersonator?: { readonly id: string; readonly name: string };
};

/** JSON; members that are undefined are left out. */
export type AuditFacts = { readonly [name: string]: AuditFact };
type AuditFact = string | number | boolean | null | undefined | readonly AuditFact[] | AuditFacts;

/** Something that somebody who asks "who did that" wants to know of. Holds no secret; it is redacted all the same. */
export type AuditEvent = {
  /** Family and what happened, e.g. `session.created`, `access.denied`; `audit-events.ts` has them all. */
  readonly event: AuditEventName;
  /** Default: what `audit-events.ts` says. */
  readonly severity?: AuditSeverity;
  readonly outcome: "success" | "failure" | "denied";
  readonly actor: AuditActor;
  readonly target?: { readonly type: string; readonly id: string; readonly name?: string };
  /** The organization that it concerns. */
  readonly organization?: string;
  readonly before?: AuditFacts;
  readonly after?: AuditFacts;
  readonly details?: AuditFacts;
  readonly origin?: RequestOrigin;
  /** The policy that decided. */
  readonly policy?: string;
};

export type Audit = {
  /**
   * Never rejects. Resolves when the event is on the disk; where the disk does not take it, when it has its place in memory
   * and is tried again. Whoever changes something awaits it before he answers.
   */
  record(event: AuditEvent): Promise<void> | undefined;
};

/** Who keeps what is recorded. */
export type AuditKeeper = Audit & {
  /** False while nothing more can be kept and nothing may be lost: no request is to be let in then. */
  accepts(): boolean;
};

export function actorOf(subject: Subject): AuditActor {
  const actor = { type: subject.type, id: principalOf(subject), name: nameOf(subject) };
  if (subject.type !== "user") return actor;
  const { via, impersonator } = subject;
  return {
    ...actor,
    via: { type: via.type, id: via.id },
    ...(impersonator === undefined ? {} : { impersonator }),
  };
}

/** What every part of the server records to, before and after there is somebody who listens. */
export class AuditLine implements AuditKeeper {
  #listener: (Audit & Partial<AuditKeeper>) | undefined;
  #hear: ((event: AuditEvent) => void) | undefined;

  connect(listener: Audit & Partial<AuditKeeper>): void {
    this.#listener = listener;
  }

  /** Who is told of everything, too; he never throws and never waits. */
  tell(hear: (event: AuditEvent) => void): void {
    this.#hear = hear;
  }

  record(event: AuditEvent): Promise<void> | undefined {
    this.#hear?.(event);
    return this.#listener?.record(event);
  }

  accepts(): boolean {
    return this.#listener?.accepts?.() ?? true;
  }
}
