export type OrganizationRole = "owner" | "admin" | "member";
export const ORGANIZATION_ROLES = ["owner", "admin", "member"] as const satisfies readonly OrganizationRole[];

export type TeamRole = "maintainer" | "member";
export const TEAM_ROLES = ["maintainer", "member"] as const satisfies readonly TeamRole[];

/** `public`: found by everybody who is signed in; `unlisted`: seen by who knows its name; `private`: seen by its members. */
export type OrganizationVisibility = "public" | "unlisted" | "private";
export const ORGANIZATION_VISIBILITIES = [
  "public",
  "unlisted",
  "private",
] as const satisfies readonly OrganizationVisibility[];

/** `open`: whoever sees it joins; `request`: whoever sees it may ask to; `invite`: only who is invited. */
export type JoinPolicy = "open" | "request" | "invite";
export const JOIN_POLICIES = ["open", "request", "invite"] as const satisfies readonly JoinPolicy[];

/** Times are RFC 3339. */
export type Organization = {
  /** `org-` and a UUIDv7. */
  readonly id: string;
  /** 3 to 50 lower-case letters, digits and hyphens; unique. */
  readonly slug: string;
  readonly name: string;
  readonly description: string;
  readonly visibility: OrganizationVisibility;
  readonly joinPolicy: JoinPolicy;
  /** Members get nothing of it unless they have signed in with a second factor. */
  readonly requireSecondFactor: boolean;
  /** Every person has one for himself. */
  readonly personal: boolean;
  readonly createdAt: string;
  /** It can be restored for 90 days from then. */
  readonly deletedAt: string | null;
  readonly version: number;
  /** What the asker is in it. */
  readonly role: OrganizationRole | null;
};

export type OrganizationList = {
  readonly organizations: readonly Organization[];
  readonly nextCursor: string | null;
};

export type NewOrganization = {
  readonly slug: string;
  /** Default: the slug. */
  readonly name?: string;
  readonly description?: string;
  /** Default: public. */
  readonly visibility?: OrganizationVisibility;
  /** Default: invite. */
  readonly joinPolicy?: JoinPolicy;
  /** A person's id or username. Needed of who is no person himself; others own what they make. */
  readonly owner?: string;
};

export type OrganizationChange = {
  readonly slug?: string;
  readonly name?: string;
  readonly description?: string;
  readonly visibility?: OrganizationVisibility;
  readonly joinPolicy?: JoinPolicy;
  /** For a person who has signed in with his own. */
  readonly requireSecondFactor?: boolean;
};

/** Who belongs to something, and as what. */
export type Member<Role extends string> = {
  readonly userId: string;
  readonly username: string;
  readonly displayName: string;
  readonly role: Role;
  readonly joinedAt: string;
  /** Of the membership: grows with each other role. */
  readonly version: number;
};

export type OrganizationMember = Member<OrganizationRole>;
export type OrganizationMembers = {
  readonly members: readonly OrganizationMember[];
  readonly nextCursor: string | null;
};

export type InvitationState = "pending" | "accepted" | "declined" | "cancelled" | "expired";

export type Invitation = {
  /** `invitation-` and a UUIDv7. */
  readonly id: string;
  readonly organization: string;
  /** Who may accept it: the person with this verified address. */
  readonly email: string;
  readonly role: OrganizationRole;
  /** The username of who invited, or what he is. */
  readonly invitedBy: string;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly state: InvitationState;
};

export type InvitationList = { readonly invitations: readonly Invitation[]; readonly nextCursor: string | null };

/** Exactly one of `email` and `username`. */
export type NewInvitation = {
  readonly email?: string;
  /** Of somebody with an account. */
  readonly username?: string;
  /** Default: member. */
  readonly role?: OrganizationRole;
};

/** `token` is shown once and accepts the invitation; null where the same request is answered again. */
export type MintedInvitation = { readonly token: string | null; readonly invitation: Invitation };

/** What somebody with the token of an invitation sees. */
export type InvitationView = {
  readonly organization: { readonly slug: string; readonly name: string };
  readonly role: OrganizationRole;
  readonly invitedBy: string;
  readonly expiresAt: string;
  readonly state: InvitationState;
};

export type JoinRequestState = "pending" | "approved" | "rejected" | "withdrawn";
export const JOIN_REQUEST_STATES = [
  "pending",
  "approved",
  "rejected",
  "withdrawn",
] as const satisfies readonly JoinRequestState[];

export type JoinRequest = {
  /** `join-` and a UUIDv7. */
  readonly id: string;
  readonly organization: string;
  readonly userId: string;
  readonly username: string;
  readonly message: string;
  readonly createdAt: string;
  readonly state: JoinRequestState;
};

export type JoinRequestList = { readonly requests: readonly JoinRequest[]; readonly nextCursor: string | null };

/** `joined`: he is a member now; `requested`: somebody has to approve it. */
export type Joined = { readonly state: "joined" | "requested" };

export type Team = {
  /** `team-` and a UUIDv7. */
  readonly id: string;
  readonly organization: string;
  /** 2 to 50 lower-case letters, digits and hyphens; unique in its organization. */
  readonly slug: string;
  readonly name: string;
  readonly description: string;
  readonly createdAt: string;
  readonly version: number;
};

export type TeamList = { readonly teams: readonly Team[]; readonly nextCursor: string | null };
export type NewTeam = { readonly slug: string; readonly name?: string; readonly description?: string };
export type TeamChange = { readonly slug?: string; readonly name?: string; readonly description?: string };
export type TeamMember = Member<TeamRole>;
export type TeamMembers = { readonly members: readonly TeamMember[]; readonly nextCursor: string | null };
