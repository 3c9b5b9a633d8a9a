import { createHash, randomBytes, randomUUIDv7, timingSafeEqual } from "node:crypto";
import type { Sessions, StartedSession } from "../../identity-types.ts";
import type { RequestOrigin } from "../../kit/audit.ts";
import type { SessionKind } from "../../kit/subject.ts";
import { OAuthError } from "./oauth-error.ts";
import type { Grant, GrantStore } from "./store.ts";
import { mintUserCode, readUserCode, shownUserCode } from "./user-code.ts";

/** Milliseconds. */
const DEVICE_LIFE = 10 * 60_000;
const CODE_LIFE = 60_000;
const INTERVAL_S = 5;
/** RFC 8628, 3.5: what a device that asks too often has to wait longer from then on. */
const SLOWER_S = 5;

/** Who may ask: any program; its name is its own word, and is shown as that. */
const CLIENT_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** RFC 7636, 4.1 and 4.2. */
const CHALLENGE = /^[A-Za-z0-9_-]{43}$/;
const VERIFIER = /^[A-Za-z0-9._~-]{43,128}$/;

/** All that there is: to act as the user. */
export const SCOPE = "account";

export type DeviceCodes = {
  readonly deviceCode: string;
  readonly userCode: string;
  /** Seconds. */
  readonly expiresIn: number;
  readonly interval: number;
};

export type OAuthService = {
  /** @throws OAuthError */
  requestDevice(request: {
    readonly clientId: string;
    readonly scope: string;
    readonly origin: RequestOrigin;
  }): Promise<DeviceCodes>;
  /** The grant that waits for a user's word; `undefined` where the code is none or no longer. */
  findDevice(userCode: string): Promise<Grant | undefined>;
  /** False where somebody has decided already, or it is too late. `session`: the one in which it is decided. */
  decideDevice(id: string, userId: string, allowed: boolean, session?: string): Promise<boolean>;
  /** @throws OAuthError: `authorization_pending`, `slow_down`, `access_denied`, `expired_token`, `invalid_grant`. */
  pollDevice(request: {
    readonly clientId: string;
    readonly deviceCode: string;
    readonly origin: RequestOrigin;
  }): Promise<StartedSession>;
  /** The code for the program that a user has let in. */
  grantCode(request: {
    readonly clientId: string;
    readonly redirectUri: string;
    readonly challenge: string;
    readonly userId: string;
    /** In which he said so. */
    readonly session?: string;
    readonly origin: RequestOrigin;
  }): Promise<string>;
  /** @throws OAuthError `invalid_grant`. A code that comes a second time ends what the first one gave. */
  exchangeCode(request: {
    readonly clientId: string;
    readonly code: string;
    readonly verifier: string;
    readonly redirectUri: string;
    readonly origin: RequestOrigin;
  }): Promise<StartedSession>;
  purge(): Promise<void>;
};

export function createOAuthService(options: {
  readonly store: GrantStore;
  readonly sessions: Sessions;
  readonly now?: () => number;
}): OAuthService {
  const { store, sessions, now = Date.now } = options;

  async function begin(grant: Grant, clientId: string, origin: RequestOrigin): Promise<StartedSession> {
    // Without a session that let it in, nothing is proven.
    const provenBy = grant.approved_in ?? "";
    const session = await sessions.start({ userId: grant.user_id ?? "", kind: kindOf(clientId), origin, provenBy });
    if (session === undefined) throw new OAuthError("access_denied", "The account may not sign in.");
    await store.change({ id: grant.id }, () => ({ change: { session_id: session.id }, outcome: undefined }));
    return session;
  }

  return {
    async requestDevice({ clientId, scope, origin }) {
      checkClient(clientId);
      checkScope(scope);
      const deviceCode = randomBytes(32).toString("base64url");
      const userCode = mintUserCode();
      await store.add({
        ...emptyGrant(clientId, origin, now()),
        kind: "device",
        secret_hash: hashOf(deviceCode),
        user_code_hash: hashOf(userCode),
        state: "pending",
        expires_at: now() + DEVICE_LIFE,
      });
      return { deviceCode, userCode: shownUserCode(userCode), expiresIn: DEVICE_LIFE / 1000, interval: INTERVAL_S };
    },

    async findDevice(text) {
      const code = readUserCode(text);
      const grant = code === undefined ? undefined : await store.byUserCode(hashOf(code));
      return grant?.state === "pending" && grant.expires_at > now() ? grant : undefined;
    },

    decideDevice: (id, userId, allowed, session) =>
      store.change({ id }, (grant) => {
        if (grant?.kind !== "device" || grant.state !== "pending" || grant.expires_at <= now())
          return { outcome: false };
        const state = allowed ? "approved" : "denied";
        return { change: { state, user_id: userId, approved_in: session ?? null }, outcome: true };
      }),

    async pollDevice({ clientId, deviceCode, origin }) {
      const grant = await store.change<Grant | OAuthError>({ secretHash: hashOf(deviceCode) }, (found) => {
        if (found?.kind !== "device" || found.client_id !== clientId || found.state === "spent") {
          return { outcome: new OAuthError("invalid_grant", "There is no such device code.") };
        }
        const time = now();
        if (found.expires_at <= time)
          return { outcome: new OAuthError("expired_token", "The code has expired: begin anew.") };
        if (found.state === "denied") {
          return { change: { state: "spent" }, outcome: new OAuthError("access_denied", "The user refused.") };
        }
        if (found.state === "approved") return { change: { state: "spent" }, outcome: found };
        if (found.polled_at !== 0 && time - found.polled_at < found.interval_s * 1000) {
          const change = { interval_s: found.interval_s + SLOWER_S, polled_at: time };
          return {
            change,
            outcome: new OAuthError("slow_down", `Wait ${change.interval_s} seconds between two questions.`),
          };
        }
        const outcome = new OAuthError("authorization_pending", "The user has not decided yet.");
        return { change: { polled_at: time }, outcome };
      });
      if (grant instanceof OAuthError) throw grant;
      return begin(grant, clientId, origin);
    },

    async grantCode({ clientId, redirectUri, challenge, userId, session, origin }) {
      const code = randomBytes(32).toString("base64url");
      await store.add({
        ...emptyGrant(clientId, origin, now()),
        kind: "code",
        secret_hash: hashOf(code),
        state: "approved",
        user_id: userId,
        approved_in: session ?? null,
        redirect_uri: redirectUri,
        code_challenge: challenge,
        expires_at: now() + CODE_LIFE,
      });
      return code;
    },

    async exchangeCode({ clientId, code, verifier, redirectUri, origin }) {
      const wrong = new OAuthError("invalid_grant", "The code is wrong, spent or too old: begin anew.");
      const { grant, stolen } = await store.change<{ grant?: Grant; stolen?: string }>(
        { secretHash: hashOf(code) },
        (found) => {
          if (found?.kind !== "code") return { outcome: {} };
          if (found.state === "spent")
            return { outcome: found.session_id === null ? {} : { stolen: found.session_id } };
          // Whoever tries with something wrong has not spent it: only with everything right it is the program's own code.
          const fits =
            found.expires_at > now() &&
            found.client_id === clientId &&
            found.redirect_uri === redirectUri &&
            isVerifierOf(found.code_challenge ?? "", verifier);
          return fits ? { change: { state: "spent" }, outcome: { grant: found } } : { outcome: {} };
        },
      );
      if (stolen !== undefined) await sessions.end(stolen);
      if (grant === undefined) throw wrong;
      return begin(grant, clientId, origin);
    },

    purge: () => store.purge(now() - DEVICE_LIFE),
  };
}

/** @throws OAuthError */
export function checkClient(clientId: string): void {
  if (CLIENT_ID.test(clientId)) return;
  throw new OAuthError("invalid_request", "client_id has to be 1 to 64 letters, digits, dots, dashes or underscores.");
}

/** @throws OAuthError */
export function checkScope(scope: string): void {
  const unknown = scope.split(" ").find((each) => each !== "" && each !== SCOPE);
  if (unknown !== undefined) throw new OAuthError("invalid_scope", `The only scope is ${SCOPE}.`);
}

/** @throws OAuthError */
export function checkChallenge(challenge: string, method: string): void {
  if (method === "S256" && CHALLENGE.test(challenge)) return;
  throw new OAuthError("invalid_request", "PKCE is needed: code_challenge with code_challenge_method=S256.");
}

/** RFC 8252, 7.3: a program on the user's own machine, on any port; nothing else can be sent a code. */
export function isLoopbackRedirect(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.protocol !== "http:" || url.username !== "" || url.password !== "" || url.hash !== "")
    return false;
  return ["127.0.0.1", "[::1]", "localhost"].includes(url.hostname);
}

function isVerifierOf(challenge: string, verifier: string): boolean {
  if (!VERIFIER.test(verifier)) return false;
  const actual = createHash("sha256").update(verifier).digest();
  const expected = Buffer.from(challenge, "base64url");
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

function kindOf(clientId: string): SessionKind {
  return clientId === "loom-cli" ? "cli" : "editor";
}

function hashOf(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}

function emptyGrant(clientId: string, origin: RequestOrigin, time: number) {
  return {
    id: `grant-${randomUUIDv7()}`,
    user_code_hash: null,
    client_id: clientId,
    address: origin.address,
    user_agent: origin.userAgent ?? "",
    user_id: null,
    session_id: null,
    approved_in: null,
    redirect_uri: null,
    code_challenge: null,
    created_at: time,
    interval_s: INTERVAL_S,
    polled_at: 0,
  };
}
