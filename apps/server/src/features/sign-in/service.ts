import type { Admission, Attempts, SignIn, User } from "../../identity-types.ts";
import { type Sessions, SignInRefused, type Users } from "../../identity-types.ts";
import type { Audit, RequestOrigin } from "../../kit/audit.ts";
import type { Clock } from "../../kit/clock.ts";
import { createGate } from "../../kit/gate.ts";
import type { Log } from "../../kit/log.ts";
import { type Accounts, createAccounts } from "./accounts.ts";
import type { Domains } from "./domains.ts";
import type { Flows } from "./flows.ts";
import type { IdentityStore, StoredIdentity } from "./identity-store.ts";
import type { Profile, Provider } from "./provider.ts";
import { ProviderError } from "./provider.ts";

const TEN_MINUTES_MS = 600_000;
/** Of one address; many people may have the same. */
const STARTS = { name: "sign_in_start", max: 300, perMs: TEN_MINUTES_MS };
const ANSWERS = { name: "sign_in_answer", max: 300, perMs: TEN_MINUTES_MS };
/** Of one account. */
const SIGN_INS = { name: "sign_in_account", max: 20, perMs: TEN_MINUTES_MS };

/**
 * A whole company may come at nine o'clock: so many sign-ins ask the database at once, and leave connections to those who
 * are in; so many wait.
 */
const AT_ONCE = 4;
const MAX_WAITING = 5_000;

export type SignInService = SignIn & {
  readonly providers: readonly Provider[];
  readonly identities: IdentityStore;
  readonly domains: Domains;
  /** @throws SignInRefused, ProblemError */
  begin(wish: {
    readonly provider: Provider;
    readonly redirectTo: string;
    readonly redirectUri: string;
    readonly browser: string | undefined;
    readonly origin: RequestOrigin;
  }): Promise<{ readonly url: URL; readonly browser: string }>;
  /** @throws SignInRefused, ProblemError */
  finish(answer: {
    readonly provider: Provider;
    readonly callback: URL;
    readonly browser: string | undefined;
    readonly origin: RequestOrigin;
  }): Promise<{ readonly admission: Admission; readonly redirectTo: string }>;
  /** Whom an address signs in with: its organization's provider, if there is such a rule and it is set up; else all. */
  providersFor(email: string): Promise<readonly Provider[]>;
  /** @throws SignInRefused where it is the last one. */
  removeIdentity(identity: StoredIdentity): Promise<void>;
};

export type SignInOptions = {
  readonly providers: readonly Provider[];
  readonly flows: Flows;
  readonly identities: IdentityStore;
  readonly domains: Domains;
  readonly attempts: Attempts;
  readonly users: Users;
  readonly sessions: Sessions;
  /** Where somebody has a second factor: what his browser waits with for it. */
  readonly beginSecondFactor: (userId: string, method: string) => Promise<{ readonly token: string } | undefined>;
  readonly signups: "open" | "closed";
  readonly clock: Clock;
  readonly audit: Audit;
  readonly log: Log;
};

export function createSignInService(options: SignInOptions): SignInService {
  const { providers, flows, identities, domains, attempts, sessions, audit, log, clock } = options;
  const labelOf = (name: string): string | undefined => providers.find((each) => each.name === name)?.label;
  const gate = createGate(AT_ONCE, MAX_WAITING);
  const accounts: Accounts = createAccounts({ ...options, labelOf, wall: clock.wall });

  /** The one way from who somebody is to a session: nobody gets past his second factor. */
  async function admitted(
    user: User,
    kind: "web" | "cli" | "editor",
    method: string,
    origin: RequestOrigin,
  ): Promise<Admission> {
    const pending = await options.beginSecondFactor(user.id, method);
    if (pending !== undefined) {
      if (kind === "web") return { type: "pending", user, token: pending.token };
      throw new SignInRefused("second_factor_needed", "This account has a second factor: sign in with a browser.");
    }
    const session = await sessions.start({ userId: user.id, kind, origin });
    // Disabled a moment ago.
    if (session === undefined) throw new SignInRefused("account_disabled", "This account is disabled.");
    await audit.record({
      event: "sign_in.succeeded",
      outcome: "success",
      actor: { type: "user", id: user.id, name: user.username },
      target: { type: "session", id: session.id },
      details: { method },
      origin,
    });
    return { type: "session", user, session };
  }

  /** Records why it failed, and says it to the person. */
  async function told<Result>(method: string, origin: RequestOrigin, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      const refusal = refusalOf(error, labelOf(method) ?? method);
      if (refusal === undefined) throw error;
      const reason = error instanceof ProviderError ? error.reason : refusal.code;
      if (error instanceof ProviderError) log.warn("signing in failed", { provider: method, reason });
      await audit.record({
        event: "sign_in.failed",
        outcome: "failure",
        actor: { type: "anonymous", id: "anonymous", name: "anonymous" },
        details: { method, reason },
        origin,
      });
      throw refusal;
    }
  }

  async function profileOf(
    provider: Provider,
    callback: URL,
    browser: string,
  ): Promise<{ readonly profile: Profile; readonly redirectTo: string }> {
    const states = callback.searchParams.getAll("state");
    const state = states.length === 1 ? (states[0] ?? "") : "";
    const flow = await gate(() => flows.finish({ provider: provider.name, state, browser }));
    if (flow === undefined) {
      const detail = "This way to sign in was begun in another browser, too long ago, or has been used: begin again.";
      throw new SignInRefused("flow_unknown", detail);
    }
    if (callback.searchParams.get("error") === "access_denied") {
      throw new SignInRefused("access_denied", `${provider.label} says that you do not want to sign in.`);
    }
    return { profile: await provider.profile(callback, flow.secrets), redirectTo: flow.redirectTo };
  }

  return {
    providers,
    identities,
    domains,
    async begin({ provider, redirectTo, redirectUri, browser: wish, origin }) {
      await gate(() => attempts.take(STARTS, origin.address));
      return told(provider.name, origin, async () => {
        const { browser, secrets } = await gate(() =>
          flows.begin({ provider: provider.name, redirectTo, browser: wish }),
        );
        const url = await provider.authorizationUrl(redirectUri, secrets);
        await audit.record({
          event: "sign_in.started",
          outcome: "success",
          actor: { type: "anonymous", id: "anonymous", name: "anonymous" },
          details: { method: provider.name },
          origin,
        });
        return { url, browser };
      });
    },
    async finish({ provider, callback, browser = "", origin }) {
      await gate(() => attempts.take(ANSWERS, origin.address));
      return told(provider.name, origin, async () => {
        const { profile, redirectTo } = await profileOf(provider, callback, browser);
        const admission = await gate(async () => {
          await attempts.take(SIGN_INS, `${profile.issuer} ${profile.subject}`);
          return admitted(await accounts.ofProfile(profile, provider, origin), "web", provider.name, origin);
        });
        return { admission, redirectTo };
      });
    },
    async ruleFor(email) {
      const rule = await domains.ofAddress(email);
      return rule === undefined || rule.provider === "" ? undefined : { provider: rule.provider, forced: rule.forced };
    },
    async providersFor(email) {
      const rule = await domains.ofAddress(email);
      const own = providers.filter((each) => each.name === rule?.provider);
      return own.length > 0 ? own : providers;
    },
    async admit({ method, email, displayName, username, kind, origin }) {
      return told(method, origin, () =>
        gate(async () => {
          await attempts.take(SIGN_INS, email);
          return admitted(await accounts.ofAddress({ email, displayName, username }, method), kind, method, origin);
        }),
      );
    },
    async removeIdentity({ id }) {
      const outcome = await identities.remove(id);
      if (outcome === "last") {
        const detail = "This is the only way left to sign in to the account: add another one first.";
        throw new SignInRefused("last_identity", detail);
      }
    },
  };
}

function refusalOf(error: unknown, label: string): SignInRefused | undefined {
  if (error instanceof SignInRefused) return error;
  if (!(error instanceof ProviderError)) return undefined;
  const detail = `${label} could not be asked, or its answer cannot be believed (${error.reason}): try again, or tell an administrator.`;
  return new SignInRefused("provider_failed", detail);
}
