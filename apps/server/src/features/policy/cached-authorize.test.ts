import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Action, Resource } from "../../kit/policy.ts";
import { OWNER } from "../../kit/subject.ts";
import { createAuthorize } from "./cached-authorize.ts";
import { principalEntity, resourceEntity } from "./entities.ts";
import { createJudge } from "./judge.ts";
import { book, CAT, knows, user } from "./policy.testing.ts";
import { anySubject, anyThing, anyType } from "./worlds.testing.ts";

const ACTIONS = [
  "read",
  "list",
  "use",
  "create",
  "write",
  "delete",
  "share",
  "administer",
  "impersonate",
  "visit",
] as const;

test("what is remembered is what Cedar says, whoever asked before about whatever", { timeout: 120_000 }, () => {
  const judge = createJudge(book.policies);
  const authorize = createAuthorize(book);
  const anyQuestion = fc.tuple(
    anySubject,
    fc.constantFrom<Action[]>(...ACTIONS),
    anyType,
    anyThing,
    fc.constantFrom("org-1", "team-1", "x"),
  );
  fc.assert(
    fc.property(anyQuestion, ([subject, action, type, thing, id]) => {
      fc.pre(knows(action, type));
      const resource: Resource = { ...thing, type, id };
      const said = judge(principalEntity(subject), action, resourceEntity(resource));
      expect(authorize(subject, action, resource)).toEqual(said);
    }),
    { numRuns: 2_000 },
  );
});

describe("what is remembered", () => {
  test("is one decision for all models, and for all people who stand alike", () => {
    const authorize = createAuthorize(book);
    const first = authorize(CAT, "use", { type: "model", id: "anthropic" });
    expect(authorize(CAT, "use", { type: "model", id: "openai" })).toBe(first);
    expect(authorize({ ...CAT }, "use", { type: "model", id: "vertex" })).toBe(first);
  });

  test("is not used for somebody whose roles have changed", () => {
    const authorize = createAuthorize(book);
    const thread: Resource = {
      type: "thread",
      id: "T-1",
      owner: "user-x",
      organization: "org-acme",
      visibility: "organization",
    };
    expect(authorize(CAT, "read", thread).allowed).toBe(true);
    expect(authorize({ ...CAT, organizations: [] }, "read", thread).allowed).toBe(false);
    expect(authorize(CAT, "read", thread).allowed).toBe(true);
  });

  test("is bounded, however many ask about however much", () => {
    const authorize = createAuthorize(book);
    for (let index = 0; index < 600; index += 1) {
      expect(authorize(user(`user-${index}`), "read", { type: "thread", owner: `user-${index}` }).allowed).toBe(true);
    }
    for (let index = 0; index < 300; index += 1) {
      const own = authorize(CAT, "read", { type: "thread", id: `T-${index}`, owner: `user-${index}` });
      expect(own).toEqual({ allowed: false, policy: "default" });
    }
    expect(authorize(CAT, "read", { type: "thread", owner: CAT.id })).toEqual({ allowed: true, policy: "threads.own" });
  });

  test("keeps apart what only looks alike when it is written in a row", () => {
    const authorize = createAuthorize(book);
    expect(authorize(CAT, "read", { type: "thread", owner: CAT.id }).allowed).toBe(true);
    expect(authorize(CAT, "read", { type: "thread", owner: `${CAT.id}","` }).allowed).toBe(false);
    expect(authorize(CAT, "read", { type: "thread", id: CAT.id }).allowed).toBe(false);
  });
});

test("what the schema does not know is denied, even to whoever runs the server", () => {
  const authorize = createAuthorize(book);
  expect(authorize(OWNER, "impersonate", { type: "model" })).toEqual({ allowed: false, policy: "unknown-question" });
});
