import { expect, test } from "vitest";
import type { Action, Resource } from "../../../kit/policy.ts";
import { ANONYMOUS, OWNER, type Subject } from "../../../kit/subject.ts";
import { ADMIN, ANN, AUDITOR, CAT, EVE, organizationKey, SUPPORT, token, verdict } from "../policy.testing.ts";

test.each<[string, Subject, Action, Resource, string]>([
  ["the owner of the server reads its health", OWNER, "read", { type: "system" }, "server.owner"],
  ["an administrator's token too", token("admin"), "read", { type: "system" }, "server.admin-token"],
  ["a system admin too", ADMIN, "read", { type: "system" }, "server.system-admin"],
  ["a token that watches over it too", token("usage:read"), "read", { type: "system" }, "server.watch-scope"],
  ["and changes nothing", token("usage:read"), "administer", { type: "system" }, "no: default"],
  ["one that asks models does not", token("llm:use"), "read", { type: "system" }, "no: default"],
  [
    "an organization's key does not",
    organizationKey("org-acme", "usage:read"),
    "read",
    { type: "system" },
    "no: default",
  ],
  ["others do not", ANN, "read", { type: "system" }, "no: default"],
  ["a system admin gives budgets", ADMIN, "administer", { type: "budget" }, "server.system-admin"],
  ["an auditor does not", AUDITOR, "administer", { type: "budget" }, "no: default"],
  ["an auditor reads the audit log", AUDITOR, "read", { type: "audit" }, "server.auditor"],
  ["an auditor reads what was used", AUDITOR, "read", { type: "usage" }, "server.auditor"],
  ["an auditor learns why", AUDITOR, "read", { type: "policy" }, "server.auditor"],
  ["an auditor changes no policies", AUDITOR, "write", { type: "policy", organization: "org-acme" }, "no: default"],
  ["support does not read the audit log", SUPPORT, "read", { type: "audit" }, "no: default"],
  ["a token with audit:read does", token("audit:read"), "read", { type: "audit" }, "organizations.audit-scope"],
  ["the providers' keys are for system admins", ADMIN, "administer", { type: "credential" }, "server.system-admin"],
  ["and for nobody else", ANN, "administer", { type: "credential" }, "no: default"],
])("%s", (_, subject, action, resource, expected) => {
  expect(verdict(subject, action, resource)).toBe(expected);
});

test.each<[string, Subject, Action, Resource, string]>([
  ["whoever is signed in", EVE, "use", { type: "model", id: "openai" }, "models.person"],
  ["a token with llm:use", token("llm:use"), "use", { type: "model", id: "openai" }, "models.scope"],
  [
    "an organization's key with llm:use",
    organizationKey("org-acme", "llm:use"),
    "use",
    { type: "model" },
    "models.organization-key",
  ],
  ["no token without", token("usage:read"), "use", { type: "model" }, "no: default"],
  ["no key without", organizationKey("org-acme", "usage:read"), "use", { type: "model" }, "no: default"],
  ["nobody in particular", ANONYMOUS, "use", { type: "model" }, "no: default"],
])("models are asked by %s: %#", (_, subject, action, resource, expected) => {
  expect(verdict(subject, action, resource)).toBe(expected);
});

test.each<[string, Subject, Resource, string]>([
  ["his own", CAT, { type: "usage", owner: CAT.id }, "models.own-usage"],
  ["somebody else's not", CAT, { type: "usage", owner: EVE.id }, "no: default"],
  ["everybody's not", CAT, { type: "usage" }, "no: default"],
  ["not what his organization has used", CAT, { type: "usage", organization: "org-acme" }, "no: default"],
  ["that of one he administers", ANN, { type: "usage", organization: "org-acme" }, "models.organization-usage"],
])("a person sees of what was used %s", (_, subject, resource, expected) => {
  expect(verdict(subject, "read", resource)).toBe(expected);
});
