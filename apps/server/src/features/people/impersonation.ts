import type { StartedImpersonation } from "@loom/api";
import type { Sessions } from "../../identity-types.ts";
import type { RequestOrigin } from "../../kit/audit.ts";
import type { Subject, UserSubject } from "../../kit/subject.ts";
import type { PeopleDesk } from "./desk.ts";
import { thePerson } from "./members.ts";
import { PeopleError } from "./people-error.ts";
import type { Telling } from "./telling.ts";

const MAX_MINUTES = 60;

export type Impersonation = {
  /** A session of the person, in which the policy lets nobody touch what lets somebody in. The person is told before it begins. @throws PeopleError, ProblemError */
  start(
    admin: UserSubject,
    user: string,
    options: {
      readonly reason: string;
      readonly minutes?: number | undefined;
      /** On the web by a cookie, else by a token. */
      readonly kind: "web" | "cli";
      readonly origin: RequestOrigin;
    },
  ): Promise<StartedImpersonation & { readonly sessionId: string }>;
  /** Ends the session of who acts in somebody's place, and says in whose. @throws PeopleError for who does not */
  stop(subject: Subject): Promise<UserSubject>;
};

export type ImpersonationOptions = {
  readonly desk: PeopleDesk;
  /** Made after the people that it needs. */
  readonly sessions: () => Pick<Sessions, "startImpersonation" | "end">;
  readonly telling: Telling;
  /** @throws ProblemError for a person who has not signed in lately, or not with the second factor that he has. */
  readonly requireRecent: (person: UserSubject) => Promise<void>;
};

export function createImpersonation({ desk, sessions, telling, requireRecent }: ImpersonationOptions): Impersonation {
  return {
    async start(admin, user, { reason, minutes = MAX_MINUTES, kind, origin }) {
      if (admin.impersonator !== undefined || admin.via.type === "key") {
        throw new PeopleError("refused", "Only a person who is signed in himself can act in another's place.");
      }
      await requireRecent(admin);
      const person = await thePerson(await desk.read(), user);
      if (person.id === admin.id) throw new PeopleError("conflict", "You are that person yourself.");
      if (person.globalRoles.length > 0) {
        throw new PeopleError(
          "refused",
          `${person.username} has a role over the whole server: nobody acts in his place.`,
        );
      }
      if ((person.disabledAt ?? person.deletedAt) !== null) throw mayNotAct(person.username);
      const durationMs = Math.min(minutes, MAX_MINUTES) * 60_000;
      const until = new Date(desk.wall() + durationMs).toISOString();
      const text = `${admin.name} acts in your place until ${until} at the latest, for this reason: ${reason}`;
      await telling.tell(person, {
        kind: "impersonated",
        subject: `${admin.name} acts in your place`,
        text,
        paragraphs: [
          "Whatever is done meanwhile is in the audit log under both names. What lets you in, such as keys and sessions, cannot be touched.",
        ],
      });
      const session = await sessions().startImpersonation({
        userId: person.id,
        kind,
        origin,
        impersonator: { id: admin.id, name: admin.name },
        durationMs,
      });
      if (session === undefined) throw mayNotAct(person.username);
      const { id: sessionId, token, expiresAt } = session;
      return { token, userId: person.id, username: person.username, expiresAt, sessionId };
    },
    async stop(subject) {
      if (subject.type !== "user" || subject.impersonator === undefined || subject.via.type !== "session") {
        throw new PeopleError("unknown", "You act in nobody's place.");
      }
      await sessions().end(subject.via.id);
      return subject;
    },
  };
}

function mayNotAct(username: string): PeopleError {
  return new PeopleError("conflict", `The account ${username} is disabled or deleted: nobody acts in its place.`);
}
