import type { TokenScope } from "@loom/api";
import type { Subject } from "./subject.ts";

/** What somebody wants to do; what each means for a type of resource is for `policies/*.cedar` to say. */
export type Action =
  | "read"
  /** To be shown in lists to somebody who does not know of it yet. */
  | "list"
  | "use"
  | "create"
  | "write"
  | "delete"
  /** To let others see it: by a link, by another visibility. */
  | "share"
  | "administer"
  | "impersonate"
  /** What is for everybody: pages to sign in, links that carry their own secret. */
  | "visit";

export type ResourceType =
  | "model"
  | "tool"
  | "usage"
  | "token"
  | "budget"
  | "credential"
  | "system"
  | "audit"
  /** Policies of an organization, and why the server decides as it does. */
  | "policy"
  | "sign_in"
  | "user"
  /** A way in which a person signs in. */
  | "identity"
  /** A second factor: a passkey, TOTP, recovery codes. */
  | "factor"
  | "session"
  | "api_key"
  | "organization"
  /** That somebody (`owner`) belongs to an organization or to one of its teams, or asks to. */
  | "membership"
  | "team"
  | "invitation"
  /** A mail domain that an organization says is its own. */
  | "mail_domain"
  | "thread"
  | "share_link"
  /** That support may see a thread; `owner` is the thread's. */
  | "support_access";

/** What a route is about, e.g. `{ type: "model", id: "anthropic" }`, with what a decision may depend on. */
export type Resource = {
  readonly type: ResourceType;
  readonly id?: string;
  /** Whose it is: a `principalOf`. */
  readonly owner?: string;
  readonly organization?: string;
  readonly team?: string;
  /** Default: "private". Organizations are private, unlisted or public. */
  readonly visibility?: "private" | "team" | "organization" | "unlisted" | "public";
  readonly sharedWithSupport?: boolean;
};

export type Decision = {
  readonly allowed: boolean;
  /** The name of the policy that decided; for logs and people who ask why. */
  readonly policy: string;
  /** Of a refusal that somebody can do something about: a sentence that says what. */
  readonly tells?: string;
};

/** Whether `subject` may do `action` to `resource`. Asked for every request, before its body is read. */
export type Authorize = (subject: Subject, action: Action, resource: Resource) => Decision;

const ALLOWED: Decision = { allowed: true, policy: "scope" };
const DENIED: Decision = { allowed: false, policy: "scope" };

/**
 * Of a server of one turn: the owner may do everything, and so may a token with the scope `admin`; others only what one
 * of their scopes names.
 */
export const authorizeByScope: Authorize = (subject, action, resource) => {
  if (subject.type === "owner" || action === "visit") return ALLOWED;
  if (!("scopes" in subject) || subject.scopes === undefined) return DENIED;
  return subject.scopes.some((scope) => allows(scope, action, resource)) ? ALLOWED : DENIED;
};

function allows(scope: TokenScope, action: Action, resource: Resource): boolean {
  switch (scope) {
    case "admin":
      return true;
    case "llm:use":
      return resource.type === "model" && (action === "use" || action === "read");
    case "usage:read":
      return (resource.type === "usage" || resource.type === "system") && action === "read";
    default:
      return false;
  }
}
