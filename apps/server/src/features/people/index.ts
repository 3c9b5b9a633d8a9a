import type { Attempts, Sessions, User, Users } from "../../identity-types.ts";
import type { Audit } from "../../kit/audit.ts";
import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import type { ListFilter } from "../../kit/list-filter.ts";
import type { Purge } from "../../kit/purge.ts";
import type { UserSubject } from "../../kit/subject.ts";
import type { Mail } from "../mail/index.ts";
import { adminRoutes } from "./admin-routes.ts";
import { type Administration, createAdministration } from "./administration.ts";
import { ChangeFeed } from "./change-feed.ts";
import { createDeparture, type Departure } from "./departure.ts";
import { createDesk } from "./desk.ts";
import { createImpersonation, type Impersonation } from "./impersonation.ts";
import { impersonationRoutes } from "./impersonation-routes.ts";
import { invitationRoutes } from "./invitation-routes.ts";
import { createInvitations, type Invitations } from "./invitations.ts";
import { createJoining, type Joining } from "./joining.ts";
import { memberRoutes } from "./member-routes.ts";
import { createMembers, type Members } from "./members.ts";
import { migrations, type PeopleTables } from "./migrations.ts";
import { createNotices, type Notices } from "./notices.ts";
import { organizationRoutes } from "./organization-routes.ts";
import { createOrganizations, type Organizations } from "./organizations.ts";
import { changesSince } from "./person-store.ts";
import { profileRoutes } from "./profile-routes.ts";
import { createProfiles, type Profiles } from "./profiles.ts";
import { purge } from "./purge.ts";
import { createPurging, type Purging } from "./purging.ts";
import { createOrganizationStates, createResources, type Resources } from "./resources.ts";
import { createSecurityWatch, type SecurityWatch } from "./security-watch.ts";
import { createSeenDevices } from "./seen-devices.ts";
import { teamRoutes } from "./team-routes.ts";
import { createTeams, type Teams } from "./teams.ts";
import { createTelling } from "./telling.ts";
import { createUsers } from "./users.ts";

export type PeopleServices = {
  readonly users: Users;
  readonly feed: ChangeFeed;
  readonly organizations: Organizations;
  readonly members: Members;
  readonly joining: Joining;
  readonly invitations: Invitations;
  readonly teams: Teams;
  readonly profiles: Profiles;
  readonly departure: Departure;
  readonly purging: Purging;
  readonly administration: Administration;
  readonly notices: Notices;
  readonly impersonation: Impersonation;
  readonly watch: SecurityWatch;
  readonly mail: Mail;
  readonly audit: Audit;
  readonly resources: Resources;
  readonly organizationStates: ReturnType<typeof createOrganizationStates>;
  readonly purgeElsewhere: Purge;
};

export type PeopleNeeds = {
  /** Made after the people that it needs. */
  readonly sessions: () => Sessions;
  readonly attempts: () => Pick<Attempts, "take">;
  readonly mail: Mail;
  /** At which people reach the server, e.g. `https://loom.example.com`. */
  readonly publicUrl?: string | undefined;
  /** What the policies let somebody see of a list. */
  readonly filter: ListFilter;
  /** Whether somebody has a second factor. Default: nobody has. */
  readonly hasSecondFactor?: (userId: string) => Promise<boolean>;
  /** @throws ProblemError for a person who has not signed in lately, or not with the second factor that he has. */
  readonly requireRecent: (person: UserSubject) => Promise<void>;
  /** Removes what other features keep of a person or an organization. */
  readonly purgeElsewhere?: Purge;
  /** Milliseconds. */
  readonly wall?: () => number;
};

/** Who there is, and who belongs where: people, their organizations and teams. */
export const people = defineFeature<PeopleServices, PeopleNeeds>({
  name: "people",
  migrations,
  onPurge: "itself",
  services: ({ database, audit, log, metrics }, needs) => {
    const {
      sessions,
      attempts,
      mail,
      filter,
      hasSecondFactor,
      requireRecent,
      publicUrl,
      purgeElsewhere = { person: async () => {}, organization: async () => {}, teams: [] },
      wall = Date.now,
    } = needs;
    const feed = new ChangeFeed(async (revision) => changesSince((await database()).tables<PeopleTables>(), revision));
    const desk = createDesk({ database, feed, wall });
    const notices = createNotices(desk);
    const telling = createTelling(notices, mail);
    const accountUrl = publicUrl === undefined ? undefined : `${publicUrl}/auth/account`;
    return {
      feed,
      users: createUsers({
        database,
        feed,
        wall,
        onCreate: (user) => recordCreation(audit, user),
        ...(hasSecondFactor === undefined ? {} : { hasSecondFactor }),
      }),
      organizations: createOrganizations(desk, filter),
      members: createMembers(desk, filter),
      joining: createJoining(desk, filter, attempts),
      invitations: createInvitations(desk, filter),
      teams: createTeams(desk, filter),
      profiles: createProfiles(desk),
      departure: createDeparture(desk),
      purging: createPurging(desk, metrics),
      administration: createAdministration(desk),
      notices,
      impersonation: createImpersonation({ desk, sessions, telling, requireRecent }),
      watch: createSecurityWatch({ desk, telling, seen: createSeenDevices(desk), log, metrics, accountUrl }),
      mail,
      audit,
      resources: createResources(desk),
      organizationStates: createOrganizationStates(desk),
      purgeElsewhere,
    };
  },
  routes: (services) => [
    ...organizationRoutes(services.organizations, services.resources),
    ...memberRoutes(services, services.resources),
    ...invitationRoutes(services, services.resources),
    ...teamRoutes(services.teams, services.resources),
    ...profileRoutes(services, services.resources),
    ...adminRoutes(services, services.resources),
    ...impersonationRoutes(services.impersonation, services.resources),
  ],
  jobs: ({ feed, purging, audit, purgeElsewhere }) => [
    every("1 s", "follow_people", () => feed.follow()),
    every("1 h", "purge_people", () => purge(purging, audit, purgeElsewhere), { once: true }),
  ],
});

/** Nobody makes an account for somebody else: who comes for the first time makes his own. */
function recordCreation(audit: Audit, { id, username: name, globalRoles }: User): void {
  void audit.record({
    event: "user.created",
    outcome: "success",
    actor: { type: "user", id, name },
    target: { type: "user", id, name },
    after: { globalRoles: [...globalRoles] },
  });
}
