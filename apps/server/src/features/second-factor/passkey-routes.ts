import { api } from "@loom/api";
import { SignInRefused } from "../../identity-types.ts";
import { requireSameOrigin } from "../../kit/browser-session.ts";
import type { Call } from "../../kit/call.ts";
import type { Resource } from "../../kit/policy.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import { Reply, type Route, route } from "../../kit/route.ts";
import { principalOf, type Subject } from "../../kit/subject.ts";
import { endOld } from "../sign-in/end-old.ts";
import type { SecondFactorFeature } from "./index.ts";
import { PASSKEY_SCRIPT } from "./passkey-script.ts";
import { about, personAt } from "./routes.ts";

const VISIT = { action: "visit", resource: { type: "sign_in" } } as const;
const HOME = "/auth/account";
const WRONG = "This passkey does not fit, or it took too long: try again.";

export function passkeyRoutes(feature: SecondFactorFeature): Route[] {
  const { service, passkeys, sessions, users, flow, requireRecent } = feature;
  const own = (_: unknown, subject: Subject): Resource => ({ type: "factor", owner: principalOf(subject) });
  const siteOf = (call: Call) => ({ origin: feature.originOf(call.incoming) });

  /** Who waits for his second factor in this browser. @throws ProblemError */
  async function waitingAt(call: Call) {
    requireSameOrigin(call.incoming);
    const waiting = await service.waiting(flow.pendingOf(call.incoming) ?? "");
    if (waiting !== undefined) return waiting;
    throw new ProblemError("forbidden", "Nobody waits for a second factor in this browser, or too long: sign in anew.");
  }

  return [
    route(api.passkeys.script, VISIT, () => {
      return new Reply(PASSKEY_SCRIPT, { headers: { "content-type": "text/javascript; charset=utf-8" } });
    }),
    route(api.passkeys.addOptions, { action: "create", resource: own, recent: true }, async ({ subject, call }) => {
      const user = personAt(subject);
      await requireRecent(subject);
      await told(service.requireRoom(user.id));
      const of = { userId: user.id, boundTo: user.via.id, purpose: "add" } as const;
      return passkeys.creationOptions(of, user.name, siteOf(call));
    }),
    route(
      api.passkeys.add,
      { action: "create", resource: own, recent: true },
      async ({ subject, body, call, audit }) => {
        const user = personAt(subject);
        await requireRecent(subject);
        const of = { userId: user.id, boundTo: user.via.id, purpose: "add" } as const;
        const added = await passkeys.add(of, body.name, body.response, siteOf(call));
        if (added === undefined) throw new ProblemError("forbidden", WRONG);
        await sessions.prove(user.via.id);
        await users.standingChanged(user.id);
        await audit({ ...about(added), event: "factor.added" });
        return { location: "/auth/factors" };
      },
    ),
    route(api.passkeys.againOptions, { action: "write", resource: own }, async ({ subject, call }) => {
      const user = personAt(subject);
      const of = { userId: user.id, boundTo: user.via.id, purpose: "again" } as const;
      const options = await passkeys.requestOptions(of, siteOf(call));
      if (options === undefined) throw new ProblemError("not_found", "This account has no passkey: give a code.");
      return options;
    }),
    route(api.passkeys.again, { action: "write", resource: own }, async ({ subject, body, call }) => {
      const user = personAt(subject);
      const of = { userId: user.id, boundTo: user.via.id, purpose: "again" } as const;
      const look = () => passkeys.check(of, body.response, siteOf(call));
      if (!(await service.checkBy(user, look, call.origin))) throw new ProblemError("forbidden", WRONG);
      await sessions.prove(user.via.id);
      return { location: "/auth/factors" };
    }),
    route(api.passkeys.options, VISIT, async ({ call }) => {
      const { userId, boundTo } = await waitingAt(call);
      const options = await passkeys.requestOptions({ userId, boundTo, purpose: "give" }, siteOf(call));
      if (options === undefined) throw new ProblemError("not_found", "This account has no passkey: give a code.");
      return options;
    }),
    route(api.passkeys.give, VISIT, async ({ body, call, subject }) => {
      const { userId, boundTo, token } = await waitingAt(call);
      const check = () => passkeys.check({ userId, boundTo, purpose: "give" }, body.response, siteOf(call));
      const session = await told(service.finishBy(token, check, call.origin));
      if (session === undefined) throw new ProblemError("forbidden", WRONG);
      await endOld({ sessions, flow }, call, subject);
      const { headers } = flow.signedIn(session, HOME);
      return new Reply(
        { location: body.redirect_to ?? HOME },
        { headers: { "set-cookie": headers["set-cookie"] ?? [] } },
      );
    }),
  ];
}

/** A script reads a problem document, not a page. */
async function told<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof SignInRefused)) throw error;
    throw new ProblemError("forbidden", error.message);
  }
}
