import type { TokenScope } from "@loom/api";
import type { BudgetNode } from "../gateway-types.ts";

export type GlobalRole = "system_admin" | "support" | "auditor";
export type OrganizationRole = "owner" | "admin" | "member";
export type TeamRole = "maintainer" | "member";

/** What a user may be let do things for: the roles that he has now. */
export type Standing = {
  readonly globalRoles: readonly GlobalRole[];
  readonly organizations: readonly {
    readonly id: string;
    readonly role: OrganizationRole;
    /** Lets in only who has given a second factor. */
    readonly asksForFactor?: true;
  }[];
  readonly teams: readonly { readonly id: string; readonly organization: string; readonly role: TeamRole }[];
};

export type SessionKind = "web" | "cli" | "editor";

/** How a user was recognised. */
export type Via =
  /** `strong`: with a second factor. */
  | { readonly type: "session"; readonly id: string; readonly kind: SessionKind; readonly strong?: boolean }
  | { readonly type: "key"; readonly id: string };

export type UserSubject = Standing & {
  readonly type: "user";
  /** `user-` and a UUIDv7. */
  readonly id: string;
  /** The username. */
  readonly name: string;
  readonly via: Via;
  /** Has a second factor, and has given it for this session. By an API key: has one. */
  readonly secondFactor?: true;
  /** Of an API key: it may do no more than these say. Absent: everything that the user may. */
  readonly scopes?: readonly TokenScope[];
  /** Who acts in the user's place. */
  readonly impersonator?: { readonly id: string; readonly name: string };
};

/** The organizations that a member gets nothing of, because they ask for a second factor that he has not given. */
export function lockedOutOf({
  organizations,
  secondFactor,
}: Pick<UserSubject, "organizations" | "secondFactor">): readonly string[] {
  if (secondFactor === true) return [];
  return organizations.filter(({ asksForFactor }) => asksForFactor === true).map(({ id }) => id);
}

/** An organization's own API key: nobody's, and no more than its scopes in that organization. */
export type OrganizationKeySubject = {
  readonly type: "organization_key";
  readonly id: string;
  readonly name: string;
  readonly organization: string;
  readonly scopes: readonly TokenScope[];
};

/** Who asks, and what that is charged to. */
export type Subject = { readonly nodes: readonly BudgetNode[] } & (
  | { readonly type: "anonymous" }
  /** The one who runs the server, by the owner's token. */
  | { readonly type: "owner" }
  | { readonly type: "token"; readonly id: string; readonly name: string; readonly scopes: readonly TokenScope[] }
  | UserSubject
  | OrganizationKeySubject
);

export const OWNER: Subject = { type: "owner", nodes: [{ kind: "token", id: "owner" }] };

/** Nobody in particular: a request without a token. */
export const ANONYMOUS: Subject = { type: "anonymous", nodes: [] };

/** By what id things belong to a subject; the same at each request. */
export function principalOf(subject: Subject): string {
  return "id" in subject ? subject.id : subject.type;
}

/** What people, the ledger and the audit log know a subject as. */
export function nameOf(subject: Subject): string {
  return "name" in subject ? subject.name : subject.type;
}
