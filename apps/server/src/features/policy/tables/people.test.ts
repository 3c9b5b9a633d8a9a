import { expect, test } from "vitest";
import type { Action, Resource, ResourceType } from "../../../kit/policy.ts";
import { ANONYMOUS, OWNER, type Subject } from "../../../kit/subject.ts";
import { ADMIN, AUDITOR, byKey, CAT, DAN, SUPPORT, verdict } from "../policy.testing.ts";

function ofCat(type: ResourceType): Resource {
  return { type, id: type === "user" ? CAT.id : `${type}-1`, owner: CAT.id };
}

const PROFILE = ofCat("user");

test.each<[string, Subject, Action, Resource, string]>([
  ["a profile is seen by whoever is signed in", DAN, "read", PROFILE, "people.profiles"],
  ["and by nobody else", ANONYMOUS, "read", PROFILE, "no: default"],
  ["a profile is changed by its person", CAT, "write", PROFILE, "people.own"],
  ["a colleague does not", DAN, "write", PROFILE, "no: default"],
  ["support does not", SUPPORT, "write", PROFILE, "no: default"],
  ["an account is deleted by its person", CAT, "delete", PROFILE, "people.own"],
  ["roles are given by system admins", ADMIN, "administer", PROFILE, "server.system-admin"],
  ["not by the person", CAT, "administer", PROFILE, "no: default"],
  ["not by auditors", AUDITOR, "administer", PROFILE, "no: default"],
  ["system admins act in somebody's place", ADMIN, "impersonate", PROFILE, "server.system-admin"],
  ["support does not", SUPPORT, "impersonate", PROFILE, "no: default"],
  ["whoever runs the server may everything", OWNER, "administer", PROFILE, "server.owner"],
  ["a device of one's own is let in", CAT, "use", { type: "sign_in" }, "people.approve-sign-in"],
  ["but not by nobody", ANONYMOUS, "use", { type: "sign_in" }, "no: default"],
  ["pages to sign in are for everybody", ANONYMOUS, "visit", { type: "sign_in" }, "server.visit"],
])("%s", (_, subject, action, resource, expected) => {
  expect(verdict(subject, action, resource)).toBe(expected);
});

const LETS_IN: readonly ResourceType[] = ["session", "api_key", "identity", "factor"];

test.each(LETS_IN)("a %s is its person's alone; a system admin sees and ends it", (type) => {
  const resource = ofCat(type);
  const may = (subject: Subject) =>
    (["read", "create", "write", "delete"] as const).filter(
      (action) => !verdict(subject, action, resource).startsWith("no"),
    );
  expect(may(CAT)).toEqual(["read", "create", "write", "delete"]);
  expect(may(ADMIN)).toEqual(["read", "delete"]);
  for (const other of [DAN, SUPPORT, AUDITOR, ANONYMOUS]) expect(may(other)).toEqual([]);
});

test.each(LETS_IN)("a %s is out of reach for whoever acts in the person's place, and not made by keys", (type) => {
  const instead = { ...CAT, impersonator: { id: ADMIN.id, name: ADMIN.name } };
  for (const action of ["read", "create", "write", "delete"] as const) {
    expect(verdict(instead, action, ofCat(type))).toBe("no: limits.impersonated");
  }
  for (const action of ["create", "write"] as const) {
    expect(verdict(byKey(CAT, "admin"), action, ofCat(type))).toBe("no: limits.keys-let-nobody-in");
  }
  expect(verdict(byKey(CAT, "threads:read", "org:manage"), "read", ofCat(type))).toBe("no: limits.scopes");
});
