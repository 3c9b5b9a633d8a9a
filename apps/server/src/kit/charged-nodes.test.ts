import { expect, test } from "vitest";
import { nodesOfPerson, nodesWithPayer, type Payer } from "./charged-nodes.ts";
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
  expect(() => nodesWithPayer(ADA, [payer])).toThrow(/asks its members for a second factor/);
  expect(() => nodesWithPayer(ADA, [payer])).toThrow(refusal);
  expect(nodesWithPayer({ ...ADA, secondFactor: true }, [payer])).toContainEqual(payer);
});

test("without a header, what somebody is locked out of pays nothing for him", () => {
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
  expect(nodesWithPayer(ADA, [team])).toEqual([...ADA.nodes, { kind: "organization", id: "org-open" }, team]);
});
