import type { Users } from "../../identity-types.ts";
import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import { ChangeFeed } from "./change-feed.ts";
import { createDesk } from "./desk.ts";
import { invitationRoutes } from "./invitation-routes.ts";
import { createInvitations, type Invitations } from "./invitations.ts";
import { createJoining, type Joining } from "./joining.ts";
import { memberRoutes } from "./member-routes.ts";
import { createMembers, type Members } from "./members.ts";
import { migrations, type PeopleTables } from "./migrations.ts";
import { organizationRoutes } from "./organization-routes.ts";
import { createOrganizations, type Organizations } from "./organizations.ts";
import { changesSince } from "./person-store.ts";
import { createResources, type Resources } from "./resources.ts";
import { teamRoutes } from "./team-routes.ts";
import { createTeams, type Teams } from "./teams.ts";
import { createUsers } from "./users.ts";

export type PeopleServices = {
  readonly users: Users;
  readonly feed: ChangeFeed;
  readonly organizations: Organizations;
  readonly members: Members;
  readonly joining: Joining;
  readonly invitations: Invitations;
  readonly teams: Teams;
  readonly resources: Resources;
};

/** Who there is, and who belongs where: people, their organizations and teams. */
export const people = defineFeature<PeopleServices, { readonly wall?: () => number } | undefined>({
  name: "people",
  migrations,
  services: ({ database }, { wall = Date.now } = {}) => {
    const feed = new ChangeFeed(async (revision) => changesSince((await database()).tables<PeopleTables>(), revision));
    const desk = createDesk({ database, feed, wall });
    return {
      feed,
      users: createUsers({ database, feed, wall }),
      organizations: createOrganizations(desk),
      members: createMembers(desk),
      joining: createJoining(desk),
      invitations: createInvitations(desk),
      teams: createTeams(desk),
      resources: createResources(desk),
    };
  },
  routes: (services) => [
    ...organizationRoutes(services.organizations, services.resources),
    ...memberRoutes(services, services.resources),
    ...invitationRoutes(services.invitations, services.resources),
    ...teamRoutes(services.teams, services.resources),
  ],
  jobs: ({ feed }) => [every("1 s", "follow_people", () => feed.follow())],
});
