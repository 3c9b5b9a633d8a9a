import { expect, test } from "vitest";
import { authenticateByAny } from "./auth.ts";
import { type Action, authorizeByScope, type Resource } from "./policy.ts";
import { ANONYMOUS, OWNER, type Subject } from "./subject.ts";

const ACTIONS: readonly Action[] = ["read", "use", "administer"];
const TYPES: readonly Resource["type"][] = ["model", "usage", "token", "budget", "system"];

function withScopes(...scopes: Extract<Subject, { type: "token" }>["scopes"]): Subject {
  return { type: "token", id: "token-1", name: "ci", scopes, nodes: [{ kind: "token", id: "token-1" }] };
}

function allowed(subject: Subject): string[] {
  return TYPES.flatMap((type) =>
    ACTIONS.filter((action) => authorizeByScope(subject, action, { type }).allowed).map(
      (action) => `${action} ${type}`,
    ),
  );
}

test("a token may do what its scopes name and nothing else; the owner and an administrator may do everything", () => {
  expect(allowed(withScopes())).toEqual([]);
  expect(allowed(withScopes("llm:use"))).toEqual(["read model", "use model"]);
  expect(allowed(withScopes("usage:read"))).toEqual(["read usage", "read system"]);
  const both = ["read model", "use model", "read usage", "read system"];
  expect(allowed(withScopes("usage:read", "llm:use"))).toEqual(both);
  expect(allowed(ANONYMOUS)).toEqual([]);
  expect(allowed(OWNER)).toHaveLength(ACTIONS.length * TYPES.length);
  expect(allowed(withScopes("admin"))).toEqual(allowed(OWNER));
});

test("of several ways to know a token the first that knows it decides, and waits only if it has to", async () => {
  const known = withScopes("llm:use");
  const way = authenticateByAny(
    (token) => (token === "a" ? OWNER : undefined),
    async (token) => (token === "b" ? known : undefined),
    (token) => (token === "c" ? known : undefined),
  );
  expect(way("a")).toBe(OWNER);
  expect(await way("b")).toBe(known);
  expect(await way("c")).toBe(known);
  expect(await way("d")).toBeUndefined();
});
