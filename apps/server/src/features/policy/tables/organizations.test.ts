import { expect, test } from "vitest";
import type { Action, Resource, ResourceType } from "../../../kit/policy.ts";
import { ANONYMOUS, type Subject } from "../../../kit/subject.ts";
import { ADMIN, ANN, AUDITOR, BEN, byKey, CAT, DAN, EVE, organizationKey, verdict } from "../policy.testing.ts";

const HIDDEN: Resource = { type: "organization", id: "org-acme", visibility: "private" };
const UNLISTED: Resource = { ...HIDDEN, visibility: "unlisted" };
const PUBLIC: Resource = { ...HIDDEN, visibility: "public" };

function inAcme(type: ResourceType, more: Partial<Resource> = {}): Resource {
  return { type, id: "x-1", organization: "org-acme", ...more };
}

test.each<[string, Subject, Action, Resource, string]>([
  ["a member sees it", CAT, "read", HIDDEN, "organizations.member"],
  ["a member finds it in lists", CAT, "list", HIDDEN, "organizations.member"],
  ["a stranger does not see a private one", EVE, "read", HIDDEN, "no: default"],
  ["a stranger sees an unlisted one", EVE, "read", UNLISTED, "organizations.public"],
  ["but does not find it in lists", EVE, "list", UNLISTED, "no: default"],
  ["a stranger finds a public one", EVE, "list", PUBLIC, "organizations.listed"],
  ["nobody in particular sees none", ANONYMOUS, "read", PUBLIC, "no: default"],
  ["a member does not change it", CAT, "write", PUBLIC, "no: default"],
  ["an admin does", BEN, "write", HIDDEN, "organizations.change"],
  ["an admin does not delete it", BEN, "delete", HIDDEN, "no: default"],
  ["an owner does", ANN, "delete", HIDDEN, "organizations.delete"],
  ["an owner of another does not", EVE, "delete", PUBLIC, "no: default"],
  ["a system admin does everything", ADMIN, "delete", HIDDEN, "server.system-admin"],
  ["an auditor does not change it", AUDITOR, "write", PUBLIC, "no: default"],
  ["anybody founds one", EVE, "create", { type: "organization" }, "organizations.found"],
  ["but nobody in particular", ANONYMOUS, "create", { type: "organization" }, "no: default"],
])("an organization: %s", (_, subject, action, resource, expected) => {
  expect(verdict(subject, action, resource)).toBe(expected);
});

test.each<[string, Subject, Action, Resource, string]>([
  ["members see members", CAT, "read", inAcme("membership"), "organizations.members-and-teams"],
  ["strangers do not", EVE, "read", inAcme("membership", { visibility: "public" }), "no: default"],
  ["members change none", CAT, "write", inAcme("membership", { owner: DAN.id }), "no: default"],
  ["not even their own", CAT, "write", inAcme("membership", { owner: CAT.id }), "no: default"],
  ["admins do", BEN, "write", inAcme("membership", { owner: DAN.id }), "organizations.administer"],
  ["admins of another do not", EVE, "write", inAcme("membership", { owner: DAN.id }), "no: default"],
  ["a member leaves", CAT, "delete", inAcme("membership", { owner: CAT.id }), "organizations.leave"],
  ["a member puts nobody out", CAT, "delete", inAcme("membership", { owner: DAN.id }), "no: default"],
  [
    "a stranger asks to join what he sees",
    EVE,
    "create",
    inAcme("membership", { owner: EVE.id, visibility: "unlisted" }),
    "organizations.join",
  ],
  ["and not what he does not see", EVE, "create", inAcme("membership", { owner: EVE.id }), "no: default"],
  [
    "nor for somebody else",
    EVE,
    "create",
    inAcme("membership", { owner: DAN.id, visibility: "public" }),
    "no: default",
  ],
  ["admins invite", BEN, "create", inAcme("invitation"), "organizations.administer"],
  ["members do not", CAT, "create", inAcme("invitation"), "no: default"],
  ["members do not even see invitations", CAT, "read", inAcme("invitation"), "no: default"],
  ["whoever has the link accepts", EVE, "use", inAcme("invitation"), "organizations.accept"],
  ["but somebody has to be signed in", ANONYMOUS, "use", inAcme("invitation"), "no: default"],
  ["everybody may look at the link", ANONYMOUS, "visit", inAcme("invitation"), "server.visit"],
  ["admins make teams", BEN, "create", inAcme("team"), "organizations.administer"],
  ["members do not", DAN, "create", inAcme("team"), "no: default"],
  ["members see teams", DAN, "read", inAcme("team"), "organizations.members-and-teams"],
  ["strangers do not", EVE, "read", inAcme("team"), "no: default"],
  ["admins claim mail domains", BEN, "create", inAcme("mail_domain"), "organizations.administer"],
  ["members do not", CAT, "create", inAcme("mail_domain"), "no: default"],
  ["nor admins of another", EVE, "read", inAcme("mail_domain"), "no: default"],
  ["nor an admin's key", byKey(BEN, "admin"), "write", inAcme("mail_domain"), "no: limits.keys-let-nobody-in"],
  ["nor the organization's", organizationKey("org-acme", "org:manage"), "create", inAcme("mail_domain"), "no: default"],
  ["system admins look after them", ADMIN, "delete", inAcme("mail_domain"), "server.system-admin"],
  ["admins make keys", BEN, "create", inAcme("api_key"), "organizations.administer"],
  ["members do not see keys", CAT, "read", inAcme("api_key"), "no: default"],
  ["admins add policies", BEN, "write", inAcme("policy"), "organizations.administer"],
  ["members do not", CAT, "write", inAcme("policy"), "no: default"],
  ["admins read the audit log of theirs", BEN, "read", inAcme("audit"), "organizations.audit"],
  ["and not the server's", BEN, "read", { type: "audit" }, "no: default"],
  ["members do not", CAT, "read", inAcme("audit"), "no: default"],
  ["admins see what was used", BEN, "read", inAcme("usage"), "models.organization-usage"],
  ["members see that of all not", CAT, "read", inAcme("usage"), "no: default"],
])("in an organization: %s", (_, subject, action, resource, expected) => {
  expect(verdict(subject, action, resource)).toBe(expected);
});

const MANAGES = organizationKey("org-acme", "org:manage");

test.each<[string, Subject, Action, Resource, string]>([
  ["sees its organization", organizationKey("org-acme"), "read", HIDDEN, "organizations.key"],
  ["sees no other", organizationKey("org-other"), "read", PUBLIC, "no: default"],
  ["changes it with org:manage", MANAGES, "write", HIDDEN, "organizations.key-changes"],
  ["not without", organizationKey("org-acme", "llm:use"), "write", HIDDEN, "no: default"],
  ["not another", organizationKey("org-other", "org:manage"), "write", HIDDEN, "no: default"],
  ["does not delete it", MANAGES, "delete", HIDDEN, "no: default"],
  ["invites", MANAGES, "create", inAcme("invitation"), "organizations.key-manages"],
  ["not elsewhere", organizationKey("org-other", "org:manage"), "create", inAcme("invitation"), "no: default"],
  ["makes no keys", MANAGES, "create", inAcme("api_key"), "no: default"],
  ["changes no policies", MANAGES, "write", inAcme("policy"), "no: default"],
  [
    "reads the audit log with audit:read",
    organizationKey("org-acme", "audit:read"),
    "read",
    inAcme("audit"),
    "organizations.key-audit",
  ],
  ["not with another scope", MANAGES, "read", inAcme("audit"), "no: default"],
  ["not the server's", organizationKey("org-acme", "audit:read"), "read", { type: "audit" }, "no: default"],
])("an organization's key %s", (_, subject, action, resource, expected) => {
  expect(verdict(subject, action, resource)).toBe(expected);
});

test.each<[string, Subject, Action, Resource, string]>([
  [
    "with org:manage invites where the person may",
    byKey(BEN, "org:manage"),
    "create",
    inAcme("invitation"),
    "organizations.administer",
  ],
  [
    "with org:manage does not where he may not",
    byKey(CAT, "org:manage"),
    "create",
    inAcme("invitation"),
    "no: default",
  ],
  ["without it does not", byKey(BEN, "threads:read"), "create", inAcme("invitation"), "no: limits.scopes"],
  ["deletes no organization", byKey(ANN, "org:manage"), "delete", HIDDEN, "no: limits.scopes"],
  ["makes no keys", byKey(BEN, "admin"), "create", inAcme("api_key"), "no: limits.keys-let-nobody-in"],
])("a person's key %s", (_, subject, action, resource, expected) => {
  expect(verdict(subject, action, resource)).toBe(expected);
});
