import { randomBytes, randomUUIDv7, timingSafeEqual } from "node:crypto";
import type { AttemptLimit, Attempts, Sessions, StartedSession, User, Users } from "../../identity-types.ts";
import { SignInRefused } from "../../identity-types.ts";
import type { Audit, AuditActor, RequestOrigin } from "../../kit/audit.ts";
import { hashToken } from "../../kit/auth.ts";
import type { SealedSecrets } from "../credentials/sealed-secrets.ts";
import { hashRecoveryCode, looksLikeRecoveryCode, mintRecoveryCodes, readCode } from "./recovery-codes.ts";
import type { PendingSignIn, SecondFactorStore, StoredFactor } from "./store.ts";
import { looksLikeTotp, mintTotpSecret, stepOf } from "./totp.ts";

/** How long one has for the second factor, and for showing that a new one works; milliseconds. */
export const PENDING_MS = 5 * 60_000;
const UNCONFIRMED_MS = 15 * 60_000;
const MAX_FACTORS = 10;
const QUARTER_MS = 15 * 60_000;
/** Of one person, whatever he tries it with: at one in a million a guess, somebody who has the first factor gets nowhere. */
const GUESSES: AttemptLimit = { name: "second_factor", max: 10, perMs: QUARTER_MS };
const GUESSES_OF_ADDRESS: AttemptLimit = { name: "second_factor_address", max: 100, perMs: QUARTER_MS };
const PURPOSE = "totp";
const PENDING_SHAPE = /^[A-Za-z0-9_-]{43}$/;

export type SecondFactorService = {
  /** What a sign-in waits with for the second factor: a token for this browser. `undefined` for who has no second factor. */
  begin(userId: string, method: string): Promise<{ readonly token: string } | undefined>;
  /** Whether somebody waits with this token. */
  isPending(token: string): Promise<boolean>;
  /** Who waits with this token, and a name for that. */
  waiting(
    token: string,
  ): Promise<{ readonly userId: string; readonly boundTo: string; readonly token: string } | undefined>;
  /** Like `finish`, with a passkey that `check` looks at. `undefined` where that says no. @throws SignInRefused, ProblemError 429 */
  finishBy(
    token: string,
    check: () => Promise<StoredFactor | undefined>,
    origin: RequestOrigin,
  ): Promise<StartedSession | undefined>;
  /**
   * The second factor: a code of an app, or a recovery code. Starts the session.
   * @throws SignInRefused, ProblemError 429
   */
  finish(
    token: string,
    code: string,
    origin: RequestOrigin,
  ): Promise<{ readonly user: User; readonly session: StartedSession }>;
  /** Somebody who is signed in gives his second factor once more. @throws ProblemError 429 */
  check(user: { readonly id: string; readonly name: string }, code: string, origin: RequestOrigin): Promise<boolean>;
  /** The same with a passkey that `look` looks at. @throws ProblemError 429 */
  checkBy(
    user: { readonly id: string; readonly name: string },
    look: () => Promise<StoredFactor | undefined>,
    origin: RequestOrigin,
  ): Promise<boolean>;
  factors(userId: string): Promise<readonly StoredFactor[]>;
  has(userId: string): Promise<boolean>;
  /** For one more. @throws SignInRefused */
  requireRoom(userId: string): Promise<void>;
  recoveryCodesLeft(userId: string): Promise<number>;
  /** The factor is none until `confirmTotp`. */
  beginTotp(userId: string, name: string): Promise<{ readonly id: string; readonly secret: string }>;
  /** With the first factor there come recovery codes. `undefined` where the code is wrong. @throws ProblemError 429 */
  confirmTotp(
    userId: string,
    id: string,
    code: string,
  ): Promise<{ readonly factor: StoredFactor; readonly recoveryCodes: readonly string[] } | undefined>;
  /** Gives what was removed; nothing where it is not the user's. */
  remove(userId: string, id: string): Promise<StoredFactor | undefined>;
  /** In place of those before. `undefined` for who has no second factor. */
  newRecoveryCodes(userId: string): Promise<readonly string[] | undefined>;
  removeExpired(): Promise<void>;
};

export type SecondFactorOptions = {
  readonly store: SecondFactorStore;
  readonly secrets: SealedSecrets;
  readonly attempts: Attempts;
  readonly users: Pick<Users, "byId" | "standingChanged">;
  readonly sessions: Sessions;
  readonly audit: Audit;
  readonly wall: () => number;
};

export function createSecondFactorService(options: SecondFactorOptions): SecondFactorService {
  const { store, secrets, attempts, users, sessions, audit, wall } = options;
  const iso = (ms: number): string => new Date(ms).toISOString();

  async function byTotp(userId: string, code: string): Promise<StoredFactor | undefined> {
    for (const factor of await store.factors(userId)) {
      if (factor.type !== "totp") continue;
      const secret = await secrets.open(factor.id, PURPOSE);
      const step = secret === undefined ? undefined : stepOf(code, secret, wall());
      if (step === undefined) continue;
      if (await store.useStep(factor.id, step, { at: iso(wall()), confirms: false })) return factor;
    }
    return undefined;
  }

  async function byRecoveryCode(userId: string, code: string): Promise<boolean> {
    const codes = await store.recoveryCodes(userId);
    const [first] = codes;
    if (first === undefined) return false;
    const hash = await hashRecoveryCode(code, first.salt);
    const found = codes.find((each) => timingSafeEqual(each.code_hash, hash));
    return found !== undefined && (await store.useRecoveryCode(found.id));
  }

  /** The one place where a second factor is looked at, with its limits. @throws ProblemError 429 */
  async function isRight(userId: string, text: string, actor: AuditActor, origin: RequestOrigin): Promise<boolean> {
    await attempts.take(GUESSES_OF_ADDRESS, origin.address);
    await attempts.take(GUESSES, userId);
    const code = readCode(text);
    const about = { actor, origin, target: { type: "user", id: userId, name: actor.name } };
    if (looksLikeTotp(code)) {
      const factor = await byTotp(userId, code);
      if (factor !== undefined) {
        const details = { type: factor.type };
        await audit.record({ ...about, event: "factor.used", outcome: "success", details });
        return true;
      }
    } else if (looksLikeRecoveryCode(code) && (await byRecoveryCode(userId, code))) {
      const details = { left: (await store.recoveryCodes(userId)).length };
      await audit.record({ ...about, event: "recovery_code.used", outcome: "success", details });
      return true;
    }
    await audit.record({ ...about, event: "factor.failed", outcome: "failure" });
    return false;
  }

  /** As `isRight`, of what is no code. @throws ProblemError 429 */
  async function isRightBy(
    { id, name }: { readonly id: string; readonly name: string },
    look: () => Promise<StoredFactor | undefined>,
    origin: RequestOrigin,
  ): Promise<boolean> {
    await attempts.take(GUESSES_OF_ADDRESS, origin.address);
    await attempts.take(GUESSES, id);
    const about = { actor: { type: "user", id, name }, origin, target: { type: "user", id, name } } as const;
    const factor = await look();
    if (factor === undefined) {
      await audit.record({ ...about, event: "factor.failed", outcome: "failure" });
      return false;
    }
    await audit.record({ ...about, event: "factor.used", outcome: "success", details: { type: factor.type } });
    return true;
  }

  async function pendingOf(token: string): Promise<PendingSignIn | undefined> {
    if (!PENDING_SHAPE.test(token)) return undefined;
    const pending = await store.pending(hashToken(token));
    return pending !== undefined && pending.expires_at > wall() ? pending : undefined;
  }

  async function requireRoom(userId: string): Promise<void> {
    if ((await store.factors(userId)).length < MAX_FACTORS) return;
    throw new SignInRefused("too_many_factors", `There are ${MAX_FACTORS} second factors already: remove one.`);
  }

  async function mintCodes(userId: string): Promise<readonly string[]> {
    const codes = mintRecoveryCodes();
    const salt = randomBytes(16);
    const rows = await Promise.all(
      codes.map(async (code) => ({
        id: `recovery-${randomUUIDv7()}`,
        user_id: userId,
        salt,
        code_hash: await hashRecoveryCode(readCode(code), salt),
      })),
    );
    await store.putRecoveryCodes(userId, rows);
    return codes;
  }

  /** The session of who has given both factors. Of two at once one is let in. @throws SignInRefused */
  async function letIn(pending: PendingSignIn, user: User, origin: RequestOrigin): Promise<StartedSession> {
    if (!(await store.takePending(pending.token_hash))) throw gone();
    const session = await sessions.start({ userId: user.id, kind: "web", origin, strong: true });
    if (session === undefined) throw new SignInRefused("account_disabled", "This account is disabled.");
    await audit.record({
      event: "sign_in.succeeded",
      outcome: "success",
      actor: { type: "user", id: user.id, name: user.username },
      target: { type: "session", id: session.id },
      details: { method: pending.method, secondFactor: true },
      origin,
    });
    return session;
  }

  return {
    async begin(userId, method) {
      if ((await store.factors(userId)).length === 0) return undefined;
      const token = randomBytes(32).toString("base64url");
      const expires = wall() + PENDING_MS;
      await store.addPending({ token_hash: hashToken(token), user_id: userId, method, expires_at: expires });
      return { token };
    },
    isPending: async (token) => (await pendingOf(token)) !== undefined,
    async finish(token, code, origin) {
      const pending = await pendingOf(token);
      const user = pending && (await users.byId(pending.user_id));
      if (pending === undefined || user === undefined) throw gone();
      const actor: AuditActor = { type: "user", id: user.id, name: user.username };
      if (!(await isRight(user.id, code, actor, origin))) {
        throw new SignInRefused(
          "second_factor_wrong",
          "This code is wrong, too old, or has been used: try the next one.",
        );
      }
      return { user, session: await letIn(pending, user, origin) };
    },
    async waiting(token) {
      const pending = await pendingOf(token);
      if (pending === undefined) return undefined;
      return { userId: pending.user_id, boundTo: Buffer.from(pending.token_hash).toString("base64url"), token };
    },
    async finishBy(token, check, origin) {
      const pending = await pendingOf(token);
      const user = pending && (await users.byId(pending.user_id));
      if (pending === undefined || user === undefined) throw gone();
      const isRight = await isRightBy({ id: user.id, name: user.username }, check, origin);
      return isRight ? letIn(pending, user, origin) : undefined;
    },
    checkBy: isRightBy,
    check: ({ id, name }, code, origin) => isRight(id, code, { type: "user", id, name }, origin),
    factors: (userId) => store.factors(userId),
    has: async (userId) => (await store.factors(userId)).length > 0,
    requireRoom,
    recoveryCodesLeft: async (userId) => (await store.recoveryCodes(userId)).length,
    async beginTotp(userId, name) {
      await requireRoom(userId);
      for (const old of await store.removeUnconfirmed(iso(wall()), userId)) await secrets.remove(old);
      const id = `factor-${randomUUIDv7()}`;
      const secret = mintTotpSecret();
      await secrets.put({ id, purpose: PURPOSE, text: secret });
      const times = { created_at: iso(wall()), confirmed_at: null, last_used_at: null };
      const none = { credential_id: null, public_key: null, counter: 0 };
      await store.add({ id, user_id: userId, type: "totp", name, last_step: 0, ...times, ...none });
      return { id, secret };
    },
    async confirmTotp(userId, id, text) {
      await attempts.take(GUESSES, userId);
      const factor = await store.factor(id);
      if (factor?.user_id !== userId || factor.confirmed_at !== null) return undefined;
      if (wall() - Date.parse(factor.created_at) > UNCONFIRMED_MS) return undefined;
      const secret = await secrets.open(id, PURPOSE);
      const code = readCode(text);
      const step = secret !== undefined && looksLikeTotp(code) ? stepOf(code, secret, wall()) : undefined;
      if (step === undefined) return undefined;
      const isFirst = (await store.factors(userId)).length === 0;
      // Codes before the factor: once it is asked for, there is a way around it.
      const recoveryCodes = isFirst ? await mintCodes(userId) : [];
      if (!(await store.useStep(id, step, { at: iso(wall()), confirms: true }))) return undefined;
      await users.standingChanged(userId);
      return { factor, recoveryCodes };
    },
    async remove(userId, id) {
      const factor = await store.factor(id);
      if (factor?.user_id !== userId || !(await store.remove(id))) return undefined;
      await secrets.remove(id);
      await users.standingChanged(userId);
      return factor;
    },
    newRecoveryCodes: async (userId) => ((await store.factors(userId)).length === 0 ? undefined : mintCodes(userId)),
    async removeExpired() {
      await store.removeExpired(wall());
      for (const old of await store.removeUnconfirmed(iso(wall() - UNCONFIRMED_MS))) await secrets.remove(old);
    },
  };
}

function gone(): SignInRefused {
  const detail = "Nobody waits for a second factor in this browser, or too long: sign in anew.";
  return new SignInRefused("second_factor_unknown", detail);
}
