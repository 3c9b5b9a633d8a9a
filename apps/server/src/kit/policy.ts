import type { TokenScope } from "@loom/api";
import type { Subject } from "./subject.ts";

export type Action =
  | "read"
  | "use"
  | "create"
  | "write"
  | "delete"
  | "share"
  | "administer"
  | "impersonate"
  /** What is for everybody: pages to sign in, links that carry their own secret. */
  | "visit";

export type ResourceType =
  | "model"
  | "usage"
  | "token"
  | "budget"
  | "credential"
  | "system"
  | "sign_in"
  | "user"
  | "session"
  | "api_key"
  | "organization"
  | "team"
  | "invitation"
  | "thread"
  | "share_link"
  | "audit";

/** What a route is about, e.g. `{ type: "model", id: "anthropic" }`, with what a decision may depend on. */
export type Resource = {
  readonly type: ResourceType;
  readonly id?: string;
  /** Whose it is: a `principalOf`. */
  readonly owner?: string;
  readonly organization?: string;
  readonly team?: string;
  readonly visibility?: "private" | "team" | "organization" | "public";
  readonly sharedWithSupport?: boolean;
};

export type Decision = {
  readonly allowed: boolean;
  /** The name of the policy that decided; for logs and people who ask why. */
  readonly policy: string;
};

/** Whether `subject` may do `action` to `resource`. Asked for every request, before its body is read. */
export type Authorize = (subject: Subject, action: Action, resource: Resource) => Decision;

const ALLOWED: Decision = { allowed: true, policy: "scope" };
const DENIED: Decision = { allowed: false, policy: "scope" };

/**
 * The owner may do everything, and so may a token with the scope `admin` and a system admin; a user what is about his
 * own; others only what one of their scopes names.
 */
export const authorizeByScope: Authorize = (subject, action, resource) => {
  if (subject.type === "owner" || action === "visit") return ALLOWED;
  if (subject.type === "user" && subject.scopes === undefined) {
    return subject.globalRoles.includes("system_admin") || resource.owner === subject.id ? ALLOWED : DENIED;
  }
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
      return resource.type === "usage" && action === "read";
    default:
      return false;
  }
}
