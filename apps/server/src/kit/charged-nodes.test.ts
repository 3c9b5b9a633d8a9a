import { expect, test } from "vitest";
import { chargedNodes, nodesOfPerson, type Payer } from "./charged-nodes.ts";
import type { Subject } from "./subject.ts";

const ADA: Extract<Subject, { type: "user" }> = {
  type: "user",
  id: "user-ada",
  name: "ada",
  via: { type: "session", id: "session-1", kind: "web" },
  globalRoles: [],
  organizations: [
    { id: "org-open", role: "member" },
    { id: "org-strict", role: "owner", asksForFactor: true },
  ],
  teams: [
    { id: "team-open", organization: "org-open", role: "member" },
    { id: "team-strict", organization: "org-strict", role: "member" },
  ],
  nodes: [{ kind: "user", id: "user-ada" }],
};

const STRICT: readonly Payer[] = [
  { kind: "organization", id: "org-strict" },
  { kind: "team", id: "team-strict" },
];

test.each(STRICT)("a $kind whose organization asks for a second factor pays for nobody who came without", (payer) => {
  const refusal = expect.objectContaining({ problem: expect.objectContaining({ code: "forbidden" }) });
  expect(() => chargedNodes(ADA, [payer])).toThrow(/asks its members for a second factor/);
  expect(() => chargedNodes(ADA, [payer])).toThrow(refusal);
  expect(chargedNodes({ ...ADA, secondFactor: true }, [payer])).toContainEqual(payer);
});

test("without a header, nothing runs for who is locked out of one of his organizations, and it says what to do", () => {
  expect(() => chargedNodes(ADA)).toThrow(
    /org-strict asks .*second factor.* name another payer.*X-Loom-Organization\.$/,
  );
  const byKey = { ...ADA, via: { type: "key", id: "key-1" } } as const;
  expect(() => chargedNodes(byKey, [])).toThrow(/second factor.* rotate this API key/);
  expect(chargedNodes({ ...ADA, secondFactor: true })).toBe(ADA.nodes);
  const free = ADA.organizations.filter(({ id }) => id === "org-open");
  expect(chargedNodes({ ...ADA, organizations: free })).toBe(ADA.nodes);
});

test("what somebody is locked out of pays nothing for him", () => {
  const of = (more: { readonly secondFactor?: true }) =>
    nodesOfPerson({ ...ADA, ...more }, "org-ada").map(({ id }) => id);
  expect(of({})).toEqual(["user-ada", "org-ada", "org-open", "team-open"]);
  expect(of({ secondFactor: true })).toEqual([
    ...["user-ada", "org-ada", "org-open", "org-strict"],
    ...["team-open", "team-strict"],
  ]);
});

test("another one pays as ever", () => {
  const team = { kind: "team", id: "team-open" } as const;
  expect(chargedNodes(ADA, [team])).toEqual([...ADA.nodes, { kind: "organization", id: "org-open" }, team]);
});
