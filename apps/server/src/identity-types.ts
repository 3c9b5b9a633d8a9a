// What the features about people say to each other; like `gateway-types.ts` for the gateway.
import type { GlobalRole, Standing } from "./kit/subject.ts";

/** A person with an account. Times are RFC 3339. */
export type User = {
  /** `user-` and a UUIDv7. */
  readonly id: string;
  /** 3 to 39 characters, unique without regard to case and look-alikes. */
  readonly username: string;
  readonly displayName: string;
  /** The address that mail goes to; verified, or it would not be here. */
  readonly email: string;
  /** BCP 47; null: not chosen. */
  readonly locale: string | null;
  readonly globalRoles: readonly GlobalRole[];
  readonly createdAt: string;
  /** May not do anything until somebody enables the account again. */
  readonly disabledAt: string | null;
  /** Asked to be deleted; can be taken back for 90 days. */
  readonly deletedAt: string | null;
};

export type NewUser = {
  /** Its owner has proven that it is his. */
  readonly email: string;
  readonly displayName?: string | undefined;
  /** A wish; another is made of it where it is taken, reserved or not allowed. */
  readonly username?: string | undefined;
  readonly locale?: string | undefined;
};

export type Users = {
  byId(id: string): Promise<User | undefined>;
  /** By a verified address, in any case. */
  byEmail(email: string): Promise<User | undefined>;
  byUsername(username: string): Promise<User | undefined>;
  /** With a personal organization. The very first becomes system admin. Two at once with one address: both get the same. */
  create(user: NewUser): Promise<User>;
  /** The roles of one who may act now; `undefined` for who is disabled, deleted or unknown. */
  standing(id: string): Promise<(Standing & { readonly username: string }) | undefined>;
  /** Called with the id when somebody's roles, memberships or account change, by whichever server; "" for anybody's. */
  onChange(listener: (userId: string) => void): void;
};
