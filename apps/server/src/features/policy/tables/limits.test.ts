import type { TokenScope } from "@loom/api";
import { TOKEN_SCOPES } from "@loom/api";
import { expect, test } from "vitest";
import type { Action, Resource } from "../../../kit/policy.ts";
import { RESOURCE_ENTITIES } from "../entities.ts";
import { ADMIN, ANN, authorize, byKey, CAT, knows, organizationKey, user, verdict } from "../policy.testing.ts";

const ROOT_IN_PLACE = { ...ADMIN, impersonator: { id: "user-other-root", name: "other" } };
const CAT_IN_PLACE = { ...CAT, impersonator: { id: ADMIN.id, name: ADMIN.name } };

test.each<[string, Action, Resource, string]>([
  [
    "impersonate a third person",
    "impersonate",
    { type: "user", id: CAT.id, owner: CAT.id },
    "limits.impersonates-nobody",
  ],
  ["see the providers' keys", "administer", { type: "credential" }, "limits.impersonated"],
  ["make access tokens", "administer", { type: "token" }, "limits.impersonated"],
  ["let a device in", "use", { type: "sign_in" }, "limits.impersonated"],
])("even in a system admin's place nobody may %s", (_, action, resource, policy) => {
  expect(verdict(ADMIN, action, resource)).not.toMatch(/^no/);
  expect(verdict(ROOT_IN_PLACE, action, resource)).toBe(`no: ${policy}`);
});

test("whoever acts in a person's place works as the person, and does not delete the account", () => {
  const profile: Resource = { type: "user", id: CAT.id, owner: CAT.id };
  expect(verdict(CAT_IN_PLACE, "read", { type: "thread", id: "T-1", owner: CAT.id })).toBe("threads.own");
  expect(verdict(CAT_IN_PLACE, "use", { type: "model", id: "openai" })).toBe("models.person");
  expect(verdict(CAT_IN_PLACE, "delete", profile)).toBe("no: limits.impersonated-consent");
  expect(verdict(CAT_IN_PLACE, "visit", { type: "sign_in" })).toBe("server.visit");
});

test("a key of a system admin does what its scopes say, and impersonates nobody", () => {
  const person: Resource = { type: "user", id: CAT.id, owner: CAT.id };
  expect(verdict(byKey(ADMIN, "audit:read"), "read", { type: "audit" })).toBe("server.system-admin");
  expect(verdict(byKey(ADMIN, "audit:read"), "administer", { type: "system" })).toBe("no: limits.scopes");
  expect(verdict(byKey(ADMIN, "usage:read"), "read", { type: "system" })).toBe("server.system-admin");
  expect(verdict(byKey(ANN, "usage:read"), "read", { type: "system" })).toBe("no: default");
  expect(verdict(byKey(ADMIN, "admin"), "administer", { type: "system" })).toBe("server.system-admin");
  expect(verdict(byKey(ADMIN, "admin"), "impersonate", person)).toMatch(/^no: limits/);
});

const WITHOUT = { ...ANN, organizations: [{ id: "org-acme", role: "owner", asksForFactor: true }] } as const;
const WITH = { ...WITHOUT, secondFactor: true } as const;

test("whoever came without a second factor gets nothing of an organization that asks for one, and is told why", () => {
  const acme: Resource = { type: "organization", id: "org-acme", visibility: "public" };
  for (const type of ["membership", "team", "invitation", "api_key", "policy", "audit", "usage", "thread"] as const) {
    const resource: Resource = { type, id: "x", organization: "org-acme", owner: ANN.id, visibility: "public" };
    expect(verdict(WITHOUT, "read", resource)).toBe("no: limits.second-factor");
    expect(verdict(byKey(WITHOUT, "admin"), "read", resource)).toBe("no: limits.second-factor");
    expect(verdict(WITH, "read", resource)).not.toMatch(/^no/);
  }
  expect(authorize(WITHOUT, "read", acme).tells).toMatch(/second factor/);
  expect(verdict(WITH, "administer", acme)).toBe("organizations.change");
  expect(verdict(byKey(WITH, "org:manage"), "administer", acme)).toBe("organizations.change");
  expect(verdict(organizationKey("org-acme", "org:manage"), "administer", acme)).toBe("organizations.key-changes");
  expect(verdict(WITHOUT, "read", { type: "thread", id: "T-1", owner: ANN.id })).toBe("threads.own");
  expect(verdict(WITHOUT, "visit", { type: "invitation", id: "x", organization: "org-acme" })).toBe("server.visit");
  expect(verdict({ ...WITHOUT, globalRoles: ["system_admin"] }, "read", acme)).toBe("no: limits.second-factor");
});

const ACTIONS: readonly Action[] = [
  ...(["read", "list", "use", "create", "write", "delete", "share", "administer", "impersonate"] as const),
];

/** Everything that there is, as somebody sees it who may do as much as possible with it. */
function everythingOf(owner: string): Resource[] {
  return Object.keys(RESOURCE_ENTITIES).flatMap((type) => {
    const bare = { type, id: "x", owner } as Resource;
    const inOrganization = { ...bare, organization: "org-acme", visibility: "organization" } as Resource;
    return [bare, type === "organization" ? { ...inOrganization, id: "org-acme" } : inOrganization];
  });
}

function reach(subject: Parameters<typeof verdict>[0], owner: string): Set<string> {
  return new Set(
    everythingOf(owner).flatMap((resource, index) =>
      ACTIONS.filter(
        (action) => knows(action, resource.type) && !verdict(subject, action, resource).startsWith("no"),
      ).map((action) => `${action} ${resource.type} ${index}`),
    ),
  );
}

const MIGHTY = user("user-all", { ...ANN, id: "user-all", globalRoles: ["system_admin"] });

test.each(TOKEN_SCOPES)("a key with the scope %s reaches no further than its person", (scope) => {
  for (const person of [CAT, ANN, MIGHTY]) {
    const whole = reach(person, person.id);
    for (const each of reach(byKey(person, scope), person.id)) expect(whole).toContain(each);
  }
});

const EXPECTED: { readonly [Scope in Exclude<TokenScope, "admin">]: RegExp } = {
  "llm:use": /^(read|use) model$/,
  "tools:use": /^use tool$/,
  "usage:read": /^read (usage|system)$/,
  "audit:read": /^read audit$/,
  "threads:read": /^read thread$/,
  "threads:write": /^(create|write|share) thread$/,
  "threads:delete": /^delete thread$/,
  "org:manage": /^(read|list|use|create|write|delete|administer) (organization|membership|team|invitation)$/,
};

test.each(Object.keys(EXPECTED) as (keyof typeof EXPECTED)[])(
  "the scope %s is for that and for nothing else",
  (scope) => {
    const withoutNumber = (each: string) => each.replace(/ \d+$/, "");
    for (const each of reach(byKey(MIGHTY, scope), MIGHTY.id)) {
      if (withoutNumber(each) !== "read user") expect(withoutNumber(each)).toMatch(EXPECTED[scope]);
    }
    for (const each of reach(organizationKey("org-acme", scope), "key-9")) {
      if (!/^(read|list) organization/.test(each)) expect(withoutNumber(each)).toMatch(EXPECTED[scope]);
    }
  },
);

test("no key of a person makes an access token, not even a system admin's that may do everything else", () => {
  expect(verdict(ADMIN, "administer", { type: "token" })).toBe("server.system-admin");
  expect(verdict(byKey(ADMIN, "admin"), "administer", { type: "token" })).toBe("no: limits.keys-make-no-tokens");
  expect(verdict(byKey(ADMIN, "admin"), "administer", { type: "budget" })).toBe("server.system-admin");
});
