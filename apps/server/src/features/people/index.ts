import type { Users } from "../../identity-types.ts";
import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import { ChangeFeed } from "./change-feed.ts";
import { migrations, type PeopleTables } from "./migrations.ts";
import { changesSince } from "./person-store.ts";
import { createUsers } from "./users.ts";

export type PeopleServices = {
  readonly users: Users;
  readonly feed: ChangeFeed;
};

/** Who there is, and who belongs where: people, their organizations and teams. */
export const people = defineFeature<PeopleServices>({
  name: "people",
  migrations,
  services: ({ database }) => {
    const feed = new ChangeFeed(async (revision) => changesSince((await database()).tables<PeopleTables>(), revision));
    return { feed, users: createUsers({ database, feed }) };
  },
  jobs: ({ feed }) => [every("1 s", "follow_people", () => feed.follow())],
});
