import { api } from "@loom/api";
import { ProblemError } from "../../kit/problem-reply.ts";
import { Reply, type Route, route } from "../../kit/route.ts";
import type { Subject, UserSubject } from "../../kit/subject.ts";
import type { Impersonation } from "./impersonation.ts";
import type { Resources } from "./resources.ts";
import { told } from "./told.ts";

/** The asker's own session, whatever that may be: to look at it and to end it is never forbidden. */
const OWN_SESSION = { action: "visit", resource: { type: "sign_in" } } as const;

export function impersonationRoutes(impersonation: Impersonation, resources: Resources): Route[] {
  return [
    route(
      api.users.impersonate,
      { action: "impersonate", resource: resources.user, recent: true },
      async ({ subject, params, body, call, audit }) => {
        const admin = personIn(subject);
        const { reason, minutes } = body;
        const { sessionId, ...started } = await told(
          impersonation.start(admin, params.user, { reason, minutes, kind: "cli", origin: call.origin }),
        );
        await audit({
          event: "impersonation.started",
          outcome: "success",
          target: { type: "user", id: started.userId, name: started.username },
          details: { reason, session: sessionId, expiresAt: started.expiresAt },
        });
        return new Reply(started, { status: 201 });
      },
    ),
    route(api.users.impersonation, OWN_SESSION, ({ subject }) => {
      if (subject.type !== "user" || subject.impersonator === undefined) return { active: false } as const;
      return {
        active: true,
        userId: subject.id,
        username: subject.name,
        impersonatorId: subject.impersonator.id,
        impersonatorName: subject.impersonator.name,
      } as const;
    }),
    route(api.users.stopImpersonation, OWN_SESSION, async ({ subject, audit }) => {
      const user = await told(impersonation.stop(subject));
      const target = { type: "user", id: user.id, name: user.name };
      await audit({ event: "impersonation.ended", outcome: "success", target });
      return { active: false } as const;
    }),
  ];
}

function personIn(subject: Subject): UserSubject {
  if (subject.type === "user") return subject;
  throw new ProblemError("forbidden", "This is for people: sign in, this token is nobody's.");
}
