import { api } from "@loom/api";
import { SignInRefused, type Users } from "../../identity-types.ts";
import { requireSameOrigin } from "../../kit/browser-session.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import { Reply, type Route, type RouteRequest, route } from "../../kit/route.ts";
import { principalOf, type Subject } from "../../kit/subject.ts";
import type { SessionService } from "../sessions/service.ts";
import type { StoredIdentity } from "./identity-store.ts";
import { ownAgain } from "./impersonation-routes.ts";
import { sessionOf } from "./on-page.ts";
import { accountPage, problemPage } from "./pages.ts";
import type { SignInService } from "./service.ts";
import type { WebFlow } from "./web-flow.ts";

export type AccountRouteNeeds = {
  readonly service: SignInService;
  readonly sessions: SessionService;
  readonly users: Users;
  readonly flow: WebFlow;
  readonly developmentUser: string | undefined;
};

const MAX_SHOWN = 50;
const HOME = "/auth/account";
const VISIT = { action: "visit", resource: { type: "sign_in" } } as const;

type Audit = RouteRequest<string, { readonly response: never }>["audit"];

/** What somebody who is signed in sees and changes of that. */
export function accountRoutes({ service, sessions, users, flow, developmentUser }: AccountRouteNeeds): Route[] {
  const of = (type: "session" | "identity") => (_: unknown, subject: Subject) =>
    ({ type, owner: principalOf(subject) }) as const;
  const labelOf = (name: string): string => service.providers.find((each) => each.name === name)?.label ?? name;
  const signInPath = developmentUser === undefined ? "/auth/sign-in" : "/auth/development";
  const toSignIn = (): Reply<string> => new Reply("", { status: 303, headers: { location: signInPath } });

  async function removeIdentity(identity: StoredIdentity, audit: Audit): Promise<void> {
    await service.removeIdentity(identity);
    const target = { type: "identity", id: identity.id, name: identity.provider };
    await audit({ event: "identity.unlinked", outcome: "success", target, details: { user: identity.userId } });
  }

  return [
    route(api.account.home, VISIT, () => new Reply("", { status: 303, headers: { location: HOME } })),
    route(api.account.page, VISIT, async ({ subject, call }) => {
      const user = subject.type === "user" ? await users.byId(subject.id) : undefined;
      // Who acted in another's place until the time was over is himself again.
      if (subject.type === "anonymous") return (await ownAgain({ sessions, flow }, call)) ?? toSignIn();
      if (subject.type !== "user" || user === undefined) return toSignIn();
      const [list, identities] = await Promise.all([
        sessions.list(user.id, { limit: MAX_SHOWN, current: sessionOf(subject) }),
        service.identities.ofUser(user.id),
      ]);
      return accountPage({
        username: user.username,
        email: user.email,
        impersonates: call.authorize(subject, "impersonate", { type: "user" }).allowed,
        sessions: list.sessions,
        hasMoreSessions: list.nextCursor !== null,
        identities,
        labelOf,
      });
    }),
    route(api.account.signOut, VISIT, async ({ subject, call, audit }) => {
      const id = sessionOf(subject);
      // Out is out, also of the session that one would come back to.
      const own = flow.ownOf(call.incoming);
      const kept = own === undefined ? undefined : await sessions.byCookie(own);
      const ownId = kept === undefined ? undefined : sessionOf(kept);
      if (ownId !== undefined && ownId !== id) {
        requireSameOrigin(call.incoming);
        await sessions.end(ownId);
      }
      if (id !== undefined && (await sessions.end(id))) {
        await audit({ event: "sign_in.ended", outcome: "success", target: { type: "session", id } });
      }
      return flow.signedOut("/auth/sign-in");
    }),
    route(api.account.endSession, { action: "delete", resource: of("session") }, async ({ subject, body, audit }) => {
      const isOwn = (await sessions.ownerOf(body.id)) === principalOf(subject);
      if (isOwn && (await sessions.end(body.id))) {
        await audit({ event: "session.revoked", outcome: "success", target: { type: "session", id: body.id } });
      }
      return back();
    }),
    route(api.account.endOthers, { action: "delete", resource: of("session") }, async ({ subject, audit }) => {
      const except = sessionOf(subject);
      const ended = await sessions.endAllOf(principalOf(subject), except === undefined ? {} : { except });
      const target = { type: "user", id: principalOf(subject) };
      await audit({ event: "session.all_revoked", outcome: "success", target, details: { ended } });
      return back();
    }),
    route(
      api.account.removeIdentity,
      { action: "delete", resource: of("identity") },
      async ({ subject, body, audit }) => {
        const identity = await service.identities.byId(body.id);
        if (identity?.userId !== principalOf(subject)) return back();
        try {
          await removeIdentity(identity, audit);
          return back();
        } catch (error) {
          if (!(error instanceof SignInRefused)) throw error;
          return new Reply(problemPage(error.message), { status: 409 });
        }
      },
    ),
    route(api.account.listIdentities, { action: "read", resource: of("identity") }, async ({ subject }) => ({
      identities: (await service.identities.ofUser(principalOf(subject))).map(({ userId: _, ...identity }) => identity),
    })),
    route(
      api.account.deleteIdentity,
      {
        action: "delete",
        resource: async ({ id }) => {
          const identity = await service.identities.byId(id);
          return identity && { type: "identity", id, owner: identity.userId };
        },
        hidden: true,
      },
      async ({ params, audit }) => {
        const identity = await service.identities.byId(params.id);
        if (identity === undefined) throw new ProblemError("not_found", "There is no such identity.");
        try {
          await removeIdentity(identity, audit);
        } catch (error) {
          if (!(error instanceof SignInRefused)) throw error;
          throw new ProblemError("conflict", error.message);
        }
        return { removed: identity.id };
      },
    ),
  ];
}

function back(): Reply<string> {
  return new Reply("", { status: 303, headers: { location: HOME } });
}
