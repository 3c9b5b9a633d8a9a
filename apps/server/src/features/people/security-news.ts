import type { AuditEvent } from "../../kit/audit.ts";
import type { AuditEventName } from "../../kit/audit-events.ts";

/** Whom something concerns: a person, or all owners of an organization. */
export type Concerned =
  | { readonly type: "person"; readonly id: string }
  | { readonly type: "owners"; readonly organization: string };

export type SecurityNews = {
  readonly concerned: Concerned;
  /** One line. */
  readonly subject: string;
  /** For who did it himself, and for everybody else: whole sentences. `by`: what people know the one as who did it. */
  readonly text: (by: string | "you") => string;
};

/** How an organization is called; there may be none. */
type Wording = (event: AuditEvent, organization: string) => SecurityNews | undefined;

/** What people are told of: what lets somebody in as them, and what they may do. Nobody can switch that off. */
export const SECURITY_NEWS: { readonly [event in AuditEventName]?: Wording } = {
  "session.created": (event) => {
    // Whom somebody acts for was told that before.
    if (event.actor.impersonator !== undefined) return undefined;
    const subject = "Your account was signed in to from somewhere new";
    return own(
      event,
      subject,
      () => "Somebody signed in to your account with a device, or from a country, that was not seen before.",
    );
  },
  "api_key.created": (event, organization) => ofKey(event, organization, "made"),
  "api_key.rotated": (event, organization) => ofKey(event, organization, "replaced"),
  "api_key.revoked": (event, organization) => ofKey(event, organization, "revoked"),
  "member.added": (event, organization) =>
    ofTarget(event, `You are in ${organization} now`, (by) =>
      by === "you"
        ? `You joined the organization ${organization} as ${wordIn(event.after, "role")}.`
        : `${capital(by)} added you to the organization ${organization} as ${wordIn(event.after, "role")}.`,
    ),
  "member.removed": (event, organization) =>
    ofTarget(event, `You are not in ${organization} any more`, (by) =>
      by === "you"
        ? `You left the organization ${organization}.`
        : `${capital(by)} removed you from the organization ${organization}.`,
    ),
  "member.role_changed": (event, organization) =>
    ofTarget(
      event,
      `Another role in ${organization}`,
      (by) =>
        `${capital(by)} changed your role in the organization ${organization} from ${wordIn(event.before, "role")} to ${wordIn(event.after, "role")}.`,
    ),
  "global_role.granted": (event) => ofRoles(event),
  "global_role.revoked": (event) => ofRoles(event),
  "factor.added": (event) => ofFactor(event, "added", "to"),
  "factor.removed": (event) => ofFactor(event, "removed", "from"),
  "identity.linked": (event) => ofIdentity(event, "linked", "to"),
  "identity.unlinked": (event) => ofIdentity(event, "taken", "from"),
};

/**
 * What an event is about: sign-ins and comings and goings are what a crowd does, each by another one; what lets somebody
 * in, and what he may do on the server, changes seldom.
 */
export type Matter = "sign_in" | "membership" | "account";

export function matterOf(event: AuditEventName): Matter {
  if (event === "session.created") return "sign_in";
  return event.startsWith("member.") ? "membership" : "account";
}

function own({ actor }: AuditEvent, subject: string, text: SecurityNews["text"]): SecurityNews | undefined {
  return actor.type === "user" ? { concerned: { type: "person", id: actor.id }, subject, text } : undefined;
}

function ofTarget({ target }: AuditEvent, subject: string, text: SecurityNews["text"]): SecurityNews | undefined {
  return target?.type === "user" ? { concerned: { type: "person", id: target.id }, subject, text } : undefined;
}

/** Of whose account it is, which may be another's than of who did it. */
function ofUserIn(event: AuditEvent, subject: string, text: SecurityNews["text"]): SecurityNews | undefined {
  const id = event.details?.user;
  return typeof id === "string" ? { concerned: { type: "person", id }, subject, text } : own(event, subject, text);
}

function ofKey(event: AuditEvent, organization: string, what: string): SecurityNews | undefined {
  const name = JSON.stringify(event.target?.name ?? "");
  if (event.organization === undefined) {
    return ofUserIn(event, `An API key of yours was ${what}`, (by) => `${capital(by)} ${what} your API key ${name}.`);
  }
  return {
    concerned: { type: "owners", organization: event.organization },
    subject: `An API key of ${organization} was ${what}`,
    text: (by) => `${capital(by)} ${what} the API key ${name} of the organization ${organization}.`,
  };
}

const FACTORS: { readonly [type: string]: string } = {
  totp: "An app that shows codes was",
  passkey: "A passkey was",
  recovery_codes: "New recovery codes were",
};

function ofFactor(event: AuditEvent, what: string, way: string): SecurityNews | undefined {
  const thing = FACTORS[String(event.details?.type)] ?? "A second factor was";
  return ofUserIn(event, `A second factor was ${what}`, (by) => `${thing} ${what} ${way} your account${byOthers(by)}.`);
}

function ofIdentity(event: AuditEvent, what: string, way: string): SecurityNews | undefined {
  const provider = event.target?.name ?? "a provider";
  return ofUserIn(
    event,
    `A way to sign in was ${what} ${way} your account`,
    (by) => `An account at ${provider} was ${what} ${way} your account${byOthers(by)}.`,
  );
}

function ofRoles(event: AuditEvent): SecurityNews | undefined {
  const roles = event.after?.roles;
  const now = Array.isArray(roles) && roles.length > 0 ? roles.join(", ") : "none";
  return ofTarget(
    event,
    "Other roles over the server",
    (by) => `${capital(by)} changed your roles over the server; they are now: ${now}.`,
  );
}

function byOthers(by: string): string {
  return by === "you" ? "" : ` by ${by}`;
}

/** At the beginning of a sentence; names stay as they are. */
function capital(by: string): string {
  return by.replace(/^(?:you$|whoever |the )/, (word) => word.charAt(0).toUpperCase() + word.slice(1));
}

function wordIn(facts: AuditEvent["after"], name: string): string {
  return String(facts?.[name] ?? "member");
}
