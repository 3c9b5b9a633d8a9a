import { expect, test } from "vitest";
import type { Action, Resource } from "../../../kit/policy.ts";
import { ANONYMOUS, OWNER, type Subject } from "../../../kit/subject.ts";
import {
  ADMIN,
  ANN,
  AUDITOR,
  BEN,
  byKey,
  CAT,
  DAN,
  EVE,
  organizationKey,
  SUPPORT,
  token,
  verdict,
} from "../policy.testing.ts";

const OF_ACME = { organization: "org-acme", team: "team-web" } as const;

function thread(more: Partial<Resource> = {}): Resource {
  return { type: "thread", id: "T-1", owner: CAT.id, ...OF_ACME, ...more };
}

const PRIVATE = thread();
const TEAM = thread({ visibility: "team" });
const ORGANIZATION = thread({ visibility: "organization" });
const PUBLIC = thread({ visibility: "public" });
const SHARED = thread({ sharedWithSupport: true });

test.each<[string, Subject, Action, Resource, string]>([
  ["the owner reads", CAT, "read", PRIVATE, "threads.own"],
  ["the owner writes", CAT, "write", PRIVATE, "threads.own"],
  ["the owner deletes", CAT, "delete", PUBLIC, "threads.own"],
  ["the owner shares", CAT, "share", TEAM, "threads.own"],
  ["a colleague does not read what is private", DAN, "read", PRIVATE, "no: default"],
  ["nor does who owns the organization", ANN, "read", PRIVATE, "no: default"],
  ["nor does a system admin", ADMIN, "read", PRIVATE, "no: default"],
  ["nor does support", SUPPORT, "read", PRIVATE, "no: default"],
  ["nor does an auditor", AUDITOR, "read", PRIVATE, "no: default"],
  ["whoever runs the server does", OWNER, "read", PRIVATE, "server.owner"],
  ["the team reads what is there for it", DAN, "read", TEAM, "threads.team"],
  ["the rest of the organization does not", BEN, "read", TEAM, "no: default"],
  ["members read what is there for the organization", DAN, "read", ORGANIZATION, "threads.organization"],
  ["strangers do not", EVE, "read", ORGANIZATION, "no: default"],
  ["nobody in particular does not", ANONYMOUS, "read", ORGANIZATION, "no: default"],
  ["members do not write", DAN, "write", ORGANIZATION, "no: default"],
  ["members do not delete", BEN, "delete", ORGANIZATION, "no: default"],
  ["members do not share", ANN, "share", ORGANIZATION, "no: default"],
  ["everybody reads what is public", ANONYMOUS, "read", PUBLIC, "threads.public"],
  ["strangers too", EVE, "read", PUBLIC, "threads.public"],
  ["but writes nothing", ANONYMOUS, "write", PUBLIC, "no: default"],
  ["strangers neither", EVE, "write", PUBLIC, "no: default"],
  ["support reads what is shared with it", SUPPORT, "read", SHARED, "threads.support"],
  ["system admins too", ADMIN, "read", SHARED, "threads.support"],
  ["auditors do not", AUDITOR, "read", SHARED, "no: default"],
  ["support does not write", SUPPORT, "write", SHARED, "no: default"],
  ["a system admin removes a thread", ADMIN, "delete", PRIVATE, "server.system-admin-of-threads"],
  ["support does not", SUPPORT, "delete", SHARED, "no: default"],
  ["a team's id in another organization says nothing", EVE, "read", TEAM, "no: default"],
])("%s", (_, subject, action, resource, expected) => {
  expect(verdict(subject, action, resource)).toBe(expected);
});

const OF_CAT: Resource = { type: "thread", id: "T-1", owner: CAT.id };

test.each<[string, Subject, Resource, string]>([
  ["in an organization of his", CAT, { ...OF_CAT, organization: "org-acme" }, "threads.begin"],
  ["for a team of his", CAT, { ...OF_CAT, ...OF_ACME }, "threads.begin"],
  ["outside of all", CAT, OF_CAT, "threads.begin"],
  ["but not in a stranger's organization", CAT, { ...OF_CAT, organization: "org-other" }, "no: default"],
  ["nor for a team that he is not in", CAT, { ...OF_CAT, ...OF_ACME, team: "team-other" }, "no: default"],
  ["nor for somebody else", DAN, OF_CAT, "no: default"],
])("a person begins a thread %s", (_, subject, resource, expected) => {
  expect(verdict(subject, "create", resource)).toBe(expected);
});

test.each<[string, Subject, Action, Resource, string]>([
  ["reads with threads:read", byKey(CAT, "threads:read"), "read", PRIVATE, "threads.own"],
  ["does not read without", byKey(CAT, "threads:write"), "read", PRIVATE, "no: limits.scopes"],
  ["writes with threads:write", byKey(CAT, "threads:write"), "write", PRIVATE, "threads.own"],
  ["does not write without", byKey(CAT, "threads:read", "llm:use"), "write", PRIVATE, "no: limits.scopes"],
  ["deletes with threads:delete", byKey(CAT, "threads:delete"), "delete", PRIVATE, "threads.own"],
  ["does not delete with threads:write", byKey(CAT, "threads:write"), "delete", PRIVATE, "no: limits.scopes"],
  ["is no more than the person", byKey(DAN, "threads:write", "admin"), "write", PRIVATE, "no: default"],
  ["reads nothing public without the scope", byKey(EVE, "llm:use"), "read", PUBLIC, "no: limits.scopes"],
])("a person's key %s", (_, subject, action, resource, expected) => {
  expect(verdict(subject, action, resource)).toBe(expected);
});

const OWN_OF_KEY = thread({ owner: "key-9" });

test.each<[string, Subject, Action, Resource, string]>([
  ["reads", organizationKey("org-acme", "threads:read"), "read", ORGANIZATION, "threads.key-reads"],
  ["does not read what is private", organizationKey("org-acme", "threads:read"), "read", PRIVATE, "no: default"],
  ["nor what is a team's", organizationKey("org-acme", "threads:read"), "read", TEAM, "no: default"],
  ["nor another organization's", organizationKey("org-other", "threads:read"), "read", ORGANIZATION, "no: default"],
  ["nor anything without the scope", organizationKey("org-acme", "llm:use"), "read", ORGANIZATION, "no: default"],
  ["keeps its own", organizationKey("org-acme", "threads:write"), "write", OWN_OF_KEY, "threads.key-writes"],
  ["not outside", organizationKey("org-other", "threads:write"), "create", OWN_OF_KEY, "no: default"],
  ["and not others'", organizationKey("org-acme", "threads:write"), "write", ORGANIZATION, "no: default"],
  ["deletes its own", organizationKey("org-acme", "threads:delete"), "delete", OWN_OF_KEY, "threads.key-deletes"],
  ["and not others'", organizationKey("org-acme", "threads:delete"), "delete", ORGANIZATION, "no: default"],
])("an organization's key %s", (_, subject, action, resource, expected) => {
  expect(verdict(subject, action, resource)).toBe(expected);
});

const OWN_OF_TOKEN: Resource = { type: "thread", id: "T-2", owner: "token-1" };

test.each<[string, Subject, Action, Resource, string]>([
  ["reads its own", token("threads:read"), "read", OWN_OF_TOKEN, "threads.token-reads"],
  ["not others'", token("threads:read"), "read", ORGANIZATION, "no: default"],
  ["keeps its own", token("threads:write"), "create", OWN_OF_TOKEN, "threads.token-writes"],
  ["in no organization", token("threads:write"), "create", { ...OWN_OF_TOKEN, ...OF_ACME }, "no: default"],
  ["deletes its own", token("threads:delete"), "delete", OWN_OF_TOKEN, "threads.token-deletes"],
  ["not with threads:write", token("threads:write"), "delete", OWN_OF_TOKEN, "no: default"],
])("an access token %s", (_, subject, action, resource, expected) => {
  expect(verdict(subject, action, resource)).toBe(expected);
});

const ACCESS: Resource = { type: "support_access", id: "T-1", owner: CAT.id, organization: "org-acme" };

test.each<[string, Subject, Action, string]>([
  ["support asks", SUPPORT, "create", "threads.ask-for-support-access"],
  ["support does not grant it to itself", SUPPORT, "write", "no: default"],
  ["nor does a system admin", ADMIN, "write", "no: default"],
  ["the owner grants", CAT, "write", "threads.grant-support-access"],
  ["the owner takes it back", CAT, "delete", "threads.grant-support-access"],
  ["a colleague does not", ANN, "write", "no: default"],
  [
    "nor does who acts in the owner's place",
    { ...CAT, impersonator: ADMIN },
    "write",
    "no: limits.impersonated-consent",
  ],
])("support access: %s", (_, subject, action, expected) => {
  expect(verdict(subject, action, ACCESS)).toBe(expected);
});
