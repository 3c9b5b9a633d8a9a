import { api } from "@loom/api";
import { requireSameOrigin } from "../../kit/browser-session.ts";
import type { Call } from "../../kit/call.ts";
import type { Resource } from "../../kit/policy.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import { Reply, type Route, route } from "../../kit/route.ts";
import type { Subject, UserSubject } from "../../kit/subject.ts";
import type { Impersonation } from "../people/impersonation.ts";
import { PeopleError } from "../people/people-error.ts";
import type { SessionService } from "../sessions/service.ts";
import { problemPage, reasonPage, whomPage } from "./pages.ts";
import type { WebFlow } from "./web-flow.ts";

export type ImpersonationRouteNeeds = {
  readonly sessions: SessionService;
  readonly flow: WebFlow;
  readonly impersonation: Pick<Impersonation, "start" | "stop">;
  /** The account of a person who is there, by id or username. */
  readonly userOf: (params: { readonly user: string }, subject: Subject) => Promise<Resource | undefined>;
};

const VISIT = { action: "visit", resource: { type: "sign_in" } } as const;
const HOME = "/auth/account";
const SIGN_IN = "/auth/sign-in";

/** A system admin acts in a person's place in his own browser, and is himself again afterwards. */
export function impersonationPageRoutes(needs: ImpersonationRouteNeeds): Route[] {
  const { flow, impersonation, userOf } = needs;
  const access = { action: "impersonate", resource: userOf } as const;

  return [
    route(api.impersonation.whom, VISIT, async ({ subject, query: { user }, call }) => {
      if (subject.type === "anonymous")
        return go(`${SIGN_IN}?redirect_to=${encodeURIComponent("/auth/impersonation")}`);
      if (user === undefined) return whomPage();
      const resource = await userOf({ user }, subject);
      const mayAct = call.authorize(subject, "impersonate", resource ?? { type: "user" }).allowed;
      if (!mayAct) return new Reply(problemPage("Only a system admin acts in somebody's place."), { status: 403 });
      if (resource?.id !== undefined) return go(pathOf(user));
      return new Reply(whomPage(`There is nobody ${JSON.stringify(user)}: give a username.`), { status: 404 });
    }),
    route(api.impersonation.why, access, ({ params: { user } }) => reasonPage({ username: user, path: pathOf(user) })),
    route(api.impersonation.begin, { ...access, recent: true }, async ({ subject, params, body, call, audit }) => {
      const own = flow.sessionOf(call.incoming);
      const admin = inBrowser(subject);
      if (own === undefined || admin === undefined) {
        return new Reply(problemPage("Only somebody who is signed in with a browser can do that here."), {
          status: 403,
        });
      }
      try {
        const { sessionId, ...started } = await impersonation.start(admin, params.user, {
          reason: body.reason,
          minutes: body.minutes,
          kind: "web",
          origin: call.origin,
        });
        await audit({
          event: "impersonation.started",
          outcome: "success",
          target: { type: "user", id: started.userId, name: started.username },
          details: { reason: body.reason, session: sessionId, expiresAt: started.expiresAt },
        });
        return flow.acting(started, own, HOME);
      } catch (error) {
        if (error instanceof ProblemError && error.problem.code === "recent_sign_in_required") {
          return new Reply(problemPage(error.message), { status: 403 });
        }
        if (!(error instanceof PeopleError)) throw error;
        return new Reply(problemPage(error.message), { status: error.reason === "refused" ? 403 : 409 });
      }
    }),
    route(api.impersonation.end, VISIT, async ({ subject, call, audit }) => {
      requireSameOrigin(call.incoming);
      if (subject.type === "user" && subject.impersonator !== undefined) {
        await impersonation.stop(subject);
        const target = { type: "user", id: subject.id, name: subject.name };
        await audit({ event: "impersonation.ended", outcome: "success", target });
      }
      const impersonator = subject.type === "user" ? subject.impersonator?.id : undefined;
      if (subject.type === "user" && impersonator === undefined) return go(HOME);
      return (await ownAgain(needs, call, impersonator)) ?? flow.signedOut(SIGN_IN);
    }),
  ];
}

/**
 * Back in the session that was kept while somebody acted in another's place, where it is still good. `impersonator`: whose it has to be,
 * if that is known.
 */
export async function ownAgain(
  { sessions, flow }: Pick<ImpersonationRouteNeeds, "sessions" | "flow">,
  call: Call,
  impersonator?: string,
): Promise<Reply<string> | undefined> {
  const token = flow.ownOf(call.incoming);
  const subject = token === undefined ? undefined : await sessions.byCookie(token);
  const own = subject === undefined ? undefined : inBrowser(subject);
  if (token === undefined || own === undefined || own.impersonator !== undefined) return undefined;
  if (impersonator !== undefined && own.id !== impersonator) return undefined;
  const expiresAt = await sessions.endOf(own.via.id);
  return expiresAt === undefined ? undefined : flow.signedIn({ token, expiresAt }, HOME);
}

function inBrowser(subject: Subject): UserSubject | undefined {
  return subject.type === "user" && subject.via.type === "session" && subject.via.kind === "web" ? subject : undefined;
}

function pathOf(user: string): string {
  return `/auth/impersonation/${encodeURIComponent(user)}`;
}

function go(location: string): Reply<string> {
  return new Reply("", { status: 303, headers: { location } });
}
