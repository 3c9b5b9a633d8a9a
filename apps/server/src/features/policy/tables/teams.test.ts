import { expect, test } from "vitest";
import type { Action, Resource } from "../../../kit/policy.ts";
import type { Subject } from "../../../kit/subject.ts";
import { BEN, CAT, DAN, EVE, user, verdict } from "../policy.testing.ts";

const TEAM: Resource = { type: "team", id: "team-web", organization: "org-acme" };
const MEMBER: Resource = { type: "membership", owner: DAN.id, organization: "org-acme", team: "team-web" };
const IN_TEAM_ALONE = user("user-guest", { teams: [{ id: "team-web", organization: "org-acme", role: "member" }] });

test.each<[string, Subject, Action, Resource, string]>([
  ["a maintainer changes it", CAT, "write", TEAM, "teams.change"],
  ["a maintainer does not dissolve it", CAT, "delete", TEAM, "no: default"],
  ["an admin of the organization does", BEN, "delete", TEAM, "organizations.administer"],
  ["a member does not change it", DAN, "write", TEAM, "no: default"],
  ["a maintainer takes somebody in", CAT, "create", MEMBER, "teams.maintain"],
  ["a maintainer puts somebody out", CAT, "delete", MEMBER, "teams.maintain"],
  ["not of another team", CAT, "delete", { ...MEMBER, team: "team-ops" }, "no: default"],
  [
    "nor of the organization itself",
    CAT,
    "delete",
    { type: "membership", owner: DAN.id, organization: "org-acme" },
    "no: default",
  ],
  ["a member leaves", DAN, "delete", MEMBER, "organizations.leave"],
  ["a member takes nobody in", DAN, "create", { ...MEMBER, owner: EVE.id }, "no: default"],
  ["a stranger sees nothing", EVE, "read", TEAM, "no: default"],
  ["whoever is in it sees it", IN_TEAM_ALONE, "read", TEAM, "teams.see"],
])("a team: %s", (_, subject, action, resource, expected) => {
  expect(verdict(subject, action, resource)).toBe(expected);
});
