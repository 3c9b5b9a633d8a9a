export type GlobalRole = "system_admin" | "support" | "auditor";
export const GLOBAL_ROLES = ["system_admin", "support", "auditor"] as const satisfies readonly GlobalRole[];

/** Who somebody is, for everybody who is signed in. Times are RFC 3339. */
export type UserProfile = {
  /** `user-` and a UUIDv7. */
  readonly id: string;
  readonly username: string;
  readonly displayName: string;
  /** null unless the person shows it, or asks himself. */
  readonly email: string | null;
  readonly showEmail: boolean;
  /** BCP 47. */
  readonly locale: string | null;
  readonly avatarUrl: string | null;
  readonly createdAt: string;
  /** Nothing is left of the person but the name. */
  readonly deleted: boolean;
  readonly version: number;
};

export type ProfileChange = {
  readonly username?: string;
  readonly displayName?: string;
  readonly showEmail?: boolean;
  readonly locale?: string | null;
  readonly avatarUrl?: string | null;
};

/** `restoreToken` takes the deletion back, is shown once and works until `purgeAt`. */
export type AccountDeletion = {
  readonly deletedAt: string;
  readonly purgeAt: string;
  readonly restoreToken: string;
};

/** What was done to somebody's account by others, for him to know. */
export type Notice = {
  readonly id: string;
  /** `impersonated`: somebody acts in his place; `security`: something about what lets him in, or what he may do, changed. */
  readonly kind: "impersonated" | "security";
  /** A whole sentence. */
  readonly text: string;
  readonly createdAt: string;
  /** `null`: not yet. */
  readonly readAt: string | null;
};

export type NoticeList = { readonly notices: readonly Notice[]; readonly nextCursor: string | null };

/** What an administrator sees of a person. */
export type UserInfo = {
  readonly id: string;
  readonly username: string;
  readonly displayName: string;
  readonly email: string;
  readonly globalRoles: readonly GlobalRole[];
  readonly createdAt: string;
  readonly disabledAt: string | null;
  readonly deletedAt: string | null;
  /** When nothing but a tombstone was left. */
  readonly purgedAt: string | null;
  readonly version: number;
};

export type UserList = { readonly users: readonly UserInfo[]; readonly nextCursor: string | null };

export type NewImpersonation = {
  /** For the person and the audit log. */
  readonly reason: string;
  /** At most and by default 60. */
  readonly minutes?: number;
};

/** A session of the person; `token` is its bearer token, shown once. */
export type StartedImpersonation = {
  readonly token: string;
  readonly userId: string;
  readonly username: string;
  readonly expiresAt: string;
};

/** Whether the one who asks acts in somebody's place. */
export type ImpersonationState =
  | { readonly active: false }
  | {
      readonly active: true;
      readonly userId: string;
      readonly username: string;
      readonly impersonatorId: string;
      readonly impersonatorName: string;
    };
