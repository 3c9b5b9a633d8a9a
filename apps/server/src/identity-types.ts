// What the features about people say to each other; like `gateway-types.ts` for the gateway.
import type { RequestOrigin } from "./kit/audit.ts";
import type { GlobalRole, SessionKind, Standing } from "./kit/subject.ts";

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

/** Who one is who may act now, and with which roles. */
export type UserStanding = Standing & {
  readonly username: string;
  /** What his requests are charged to, besides himself. */
  readonly personalOrganization?: string;
  readonly hasSecondFactor?: true;
};

export type Users = {
  byId(id: string): Promise<User | undefined>;
  /** By a verified address, in any case. */
  byEmail(email: string): Promise<User | undefined>;
  byUsername(username: string): Promise<User | undefined>;
  /** With a personal organization. The very first becomes system admin. Two at once with one address: both get the same. */
  create(user: NewUser): Promise<User>;
  /** The roles of one who may act now; `undefined` for who is disabled, deleted or unknown. */
  standing(id: string): Promise<UserStanding | undefined>;
  /** Something that somebody's standing hangs on has changed elsewhere, e.g. his second factors. */
  standingChanged(id: string): Promise<void>;
  /** Called with the id when somebody's roles, memberships or account change, by whichever server; "" for anybody's. */
  onChange(listener: (userId: string) => void): void;
};

export type NewSession = {
  readonly userId: string;
  readonly kind: SessionKind;
  /** Where the one who signs in comes from: what the list of sessions shows. */
  readonly origin: RequestOrigin;
  /** A second factor was given. */
  readonly strong?: boolean;
  /** The session in which its person let this one in: that he is who he is, was proven there, and when. */
  readonly provenBy?: string | undefined;
};

export type StartedSession = {
  /** `session-` and a UUIDv7. */
  readonly id: string;
  /** Goes to the one who signed in and nowhere else; only its hash is kept. */
  readonly token: string;
  /** RFC 3339: when it ends, however much it is used. Unused it ends earlier. */
  readonly expiresAt: string;
};

export type Sessions = {
  /** Always a new token. `undefined` for a user who may not act: disabled, deleted, unknown. */
  start(session: NewSession): Promise<StartedSession | undefined>;
  /** One in which `impersonator` acts as the user, for at most `durationMs`; it ends as soon as he is no system admin any more. */
  startImpersonation(
    session: NewSession & {
      readonly impersonator: { readonly id: string; readonly name: string };
      readonly durationMs: number;
    },
  ): Promise<StartedSession | undefined>;
  /** At once, and within a second on other servers. False where it has ended before. */
  end(id: string): Promise<boolean>;
  /** Of the user, and those in which somebody acts as him. Gives how many there were. */
  endAllOf(userId: string, options?: { readonly except?: string }): Promise<number>;
};

/** How often something may be tried: `max` times in `perMs` milliseconds. */
export type AttemptLimit = {
  /** What is counted, e.g. `sign_in`: a name for each limit. */
  readonly name: string;
  readonly max: number;
  readonly perMs: number;
};

/** Counts what people try, for all servers on one database together. */
export type Attempts = {
  /**
   * Counts one more try of `who`: an address, an account, a code.
   * @throws ProblemError 429 with Retry-After where there were too many.
   */
  take(limit: AttemptLimit, who: string): Promise<void>;
};

/** What a way to sign in has found out: the address is the person's own. */
export type ProvenAddress = {
  /** How: `magic_link`, `okta`, … For the audit log. */
  readonly method: string;
  readonly email: string;
  readonly displayName?: string | undefined;
  readonly username?: string | undefined;
  readonly kind: SessionKind;
  readonly origin: RequestOrigin;
};

/** `code` is for programs; `message` is a whole sentence for the person. */
export class SignInRefused extends Error {
  override readonly name = "SignInRefused";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Who has proven to be somebody: he is signed in, or waits in his browser for his second factor. */
export type Admission =
  | { readonly type: "session"; readonly user: User; readonly session: StartedSession }
  | {
      readonly type: "pending";
      readonly user: User;
      /** For this browser and nobody else; only its hash is kept. */
      readonly token: string;
    };

export type SignIn = {
  /** What an address's organization wants; `forced`: nothing but this provider. */
  ruleFor(email: string): Promise<{ readonly provider: string; readonly forced: boolean } | undefined>;
  /**
   * Signs in who has proven an address: finds or makes the user, and starts a session for who has no second factor.
   * @throws SignInRefused where the account is closed, signing up is, or the organization wants another way.
   */
  admit(proof: ProvenAddress): Promise<Admission>;
};
