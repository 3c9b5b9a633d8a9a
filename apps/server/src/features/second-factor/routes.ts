import { api } from "@loom/api";
import { SignInRefused } from "../../identity-types.ts";
import type { AuditEvent } from "../../kit/audit.ts";
import { requireSameOrigin } from "../../kit/browser-session.ts";
import type { Resource } from "../../kit/policy.ts";
import { PAGE_HEADERS, ProblemError } from "../../kit/problem-reply.ts";
import { Reply, type Route, route } from "../../kit/route.ts";
import { principalOf, type Subject, type UserSubject } from "../../kit/subject.ts";
import { endOld } from "../sign-in/end-old.ts";
import { onPage } from "../sign-in/on-page.ts";
import type { SecondFactorFeature } from "./index.ts";
import { againPage, askPage, factorsPage, recoveryCodesPage, totpPage } from "./pages.ts";
import type { StoredFactor } from "./store.ts";
import { totpAddress } from "./totp.ts";

const VISIT = { action: "visit", resource: { type: "sign_in" } } as const;
const HOME = "/auth/account";
const FACTORS = "/auth/factors";

export function secondFactorRoutes(feature: SecondFactorFeature): Route[] {
  const { service, sessions, users, flow, requireRecent } = feature;
  const own = (_: unknown, subject: Subject): Resource => ({ type: "factor", owner: principalOf(subject) });
  const ofUser = async ({ user }: { readonly user: string }): Promise<Resource | undefined> => {
    const found = await users.byId(user);
    return found && { type: "factor", owner: found.id };
  };

  /** Who has been signed in for a while is asked once more. */
  const recently = async (subject: Subject, work: (user: UserSubject) => Promise<string | Reply<string>>) => {
    const user = personAt(subject);
    try {
      await requireRecent(subject);
    } catch (error) {
      if (!(error instanceof ProblemError) || error.problem.code !== "recent_sign_in_required") throw error;
      return withScript(againPage({ factors: await service.factors(user.id) }), 403);
    }
    return onPage(async () => {
      const answer = await work(user);
      return answer instanceof Reply ? answer : new Reply(answer, {});
    });
  };

  return [
    route(api.secondFactor.page, VISIT, async ({ query: { redirect_to: redirectTo = HOME }, call }) => {
      const token = flow.pendingOf(call.incoming);
      return token !== undefined && (await service.isPending(token))
        ? withScript(askPage({ redirectTo }))
        : go("/auth/sign-in");
    }),
    route(api.secondFactor.give, VISIT, ({ body: { code, redirect_to: redirectTo = HOME }, call, subject }) =>
      onPage(async () => {
        requireSameOrigin(call.incoming);
        try {
          const token = flow.pendingOf(call.incoming) ?? "";
          const { session } = await service.finish(token, code, call.origin);
          await endOld({ sessions, flow }, call, subject);
          return flow.signedIn(session, redirectTo);
        } catch (error) {
          if (!(error instanceof SignInRefused) || error.code !== "second_factor_wrong") throw error;
          return new Reply(askPage({ redirectTo, problem: error.message }), { status: 403 });
        }
      }),
    ),
    route(api.secondFactor.factorsPage, VISIT, async ({ subject }) => {
      if (subject.type === "anonymous") return go(`/auth/sign-in?redirect_to=${encodeURIComponent(FACTORS)}`);
      const user = personAt(subject);
      const [factors, recoveryCodesLeft] = await Promise.all([
        service.factors(user.id),
        service.recoveryCodesLeft(user.id),
      ]);
      return withScript(factorsPage({ factors, recoveryCodesLeft }));
    }),
    route(
      api.secondFactor.beginTotp,
      { action: "create", resource: own, recent: true },
      ({ body: { name }, subject }) =>
        recently(subject, async (user) => {
          const { id, secret } = await service.beginTotp(user.id, name);
          return totpPage({ id, secret, address: totpAddress(secret, user.name) });
        }),
    ),
    route(
      api.secondFactor.confirmTotp,
      { action: "create", resource: own, recent: true },
      ({ body: { id, code }, subject, audit }) =>
        recently(subject, async (user) => {
          const confirmed = await service.confirmTotp(user.id, id, code);
          if (confirmed === undefined) {
            const problem = "This code is wrong or too old: give the one that the app shows now, or begin anew.";
            return new Reply(totpPage({ id, problem }), { status: 400 });
          }
          await sessions.prove(user.via.id);
          await audit({ ...about(confirmed.factor), event: "factor.added" });
          return confirmed.recoveryCodes.length === 0 ? go(FACTORS) : recoveryCodesPage(confirmed.recoveryCodes);
        }),
    ),
    route(api.secondFactor.recoveryCodes, { action: "create", resource: own, recent: true }, ({ subject, audit }) =>
      recently(subject, async (user) => {
        const codes = await service.newRecoveryCodes(user.id);
        if (codes === undefined) return go(FACTORS);
        const target = { type: "factor", id: "recovery_codes" };
        await audit({ event: "factor.added", outcome: "success", target, details: { type: "recovery_codes" } });
        return recoveryCodesPage(codes);
      }),
    ),
    route(
      api.secondFactor.removeByForm,
      { action: "delete", resource: own, recent: true },
      ({ body: { id }, subject, audit }) =>
        recently(subject, async (user) => {
          const removed = await service.remove(user.id, id);
          if (removed !== undefined) await audit({ ...about(removed), event: "factor.removed" });
          return go(FACTORS);
        }),
    ),
    route(api.secondFactor.againPage, VISIT, async ({ subject }) => {
      if (subject.type === "anonymous") return go(`/auth/sign-in?redirect_to=${encodeURIComponent(FACTORS)}`);
      return withScript(againPage({ factors: await service.factors(personAt(subject).id) }));
    }),
    route(api.secondFactor.confirmAgain, { action: "write", resource: own }, ({ body: { code }, subject, call }) =>
      onPage(async () => {
        const user = personAt(subject);
        if (!(await service.check(user, code, call.origin))) {
          const problem = "This code is wrong, too old, or has been used: try the next one.";
          return withScript(againPage({ factors: await service.factors(user.id), problem }), 403);
        }
        await sessions.prove(user.via.id);
        return go(FACTORS);
      }),
    ),
    route(api.secondFactor.list, { action: "read", resource: own }, async ({ subject }) => {
      const user = principalOf(subject);
      return {
        factors: (await service.factors(user)).map(infoOf),
        recoveryCodesLeft: await service.recoveryCodesLeft(user),
      };
    }),
    route(
      api.secondFactor.removeOfUser,
      { action: "administer", resource: ofUser, recent: true },
      async ({ params, subject, audit }) => {
        await requireRecent(subject);
        const factors = await service.factors(params.user);
        for (const { id } of factors) {
          const removed = await service.remove(params.user, id);
          if (removed !== undefined) await audit({ ...about(removed), event: "factor.removed" });
        }
        // Whoever has taken over the account as well as what it is protected by is out.
        await sessions.endAllOf(params.user);
        return { removed: factors.length };
      },
    ),
  ];
}

/** The only pages of ours with a script; it is ours and comes from us. */
const SCRIPT_POLICY = `script-src 'self'; connect-src 'self'; ${PAGE_HEADERS["content-security-policy"]}`;

function withScript(page: string, status = 200): Reply<string> {
  return new Reply(page, { status, headers: { "content-security-policy": SCRIPT_POLICY } });
}

function go(location: string): Reply<string> {
  return new Reply("", { status: 303, headers: { location } });
}

/** Only who sits in front of a browser looks after his factors: no program, and nobody in another's place. */
export function personAt(subject: Subject): UserSubject {
  const isThere = subject.type === "user" && subject.impersonator === undefined && subject.via.type === "session";
  if (isThere && subject.via.kind === "web") return subject;
  throw new ProblemError("forbidden", "Only somebody who is signed in with a browser can see and do that.");
}

export function about({
  id,
  name,
  type,
  user_id: user,
}: StoredFactor): Pick<AuditEvent, "outcome" | "target" | "details"> {
  return { outcome: "success", target: { type: "factor", id, name }, details: { type, user } };
}

function infoOf({ id, type, name, created_at: createdAt, last_used_at: lastUsedAt }: StoredFactor) {
  return { id, type, name, createdAt, lastUsedAt };
}
