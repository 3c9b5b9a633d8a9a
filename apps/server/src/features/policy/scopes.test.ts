import { expect, test } from "vitest";
import { type Action, authorizeByScope, type ResourceType } from "../../kit/policy.ts";
import { ANONYMOUS, OWNER, type Subject } from "../../kit/subject.ts";
import { RESOURCE_ENTITIES } from "./entities.ts";
import { authorize, knows, token } from "./policy.testing.ts";

const ACTIONS: readonly Action[] = ["read", "use", "administer", "visit", "delete"];
const TYPES = Object.keys(RESOURCE_ENTITIES) as ResourceType[];

function allowed(subject: Subject, by = authorize): string[] {
  return TYPES.flatMap((type) =>
    ACTIONS.filter((action) => knows(action, type) && by(subject, action, { type, id: "x" }).allowed).map(
      (action) => `${action} ${type}`,
    ),
  );
}

test.each([
  ["the owner", OWNER],
  ["a token without scopes", token()],
  ["a token that may ask models", token("llm:use")],
  ["a token that sees what was used", token("usage:read")],
  ["a token with both", token("usage:read", "llm:use")],
  ["an administrator's token", token("admin")],
  ["nobody", ANONYMOUS],
])("the policies let %s do what the server of one turn lets it do", (_, subject) => {
  expect(allowed(subject)).toEqual(allowed(subject, authorizeByScope));
});
