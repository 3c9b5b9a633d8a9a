import { expect, test } from "vitest";
import { readPolicyBook } from "./policy-book.ts";
import { PolicyError } from "./policy-error.ts";
import { policyFiles } from "./policy-files.ts";

const { schema } = policyFiles();

function reading(text: string, file = "mine.cedar") {
  return () => readPolicyBook({ schema, policies: { [file]: text } });
}

test("the folder of policies fits its schema, and each policy says what it is for", () => {
  const { policies } = readPolicyBook(policyFiles());
  expect(policies.length).toBeGreaterThan(40);
  for (const { says } of policies) expect(says).toMatch(/^[A-Z].*\.$/);
});

test.each([
  ["no Cedar", "permit everything;", /^mine\.cedar: .+ at "everything"/],
  ["no @id", `@says("All.") permit (principal, action, resource);`, /^mine\.cedar: a policy has no @id: /],
  ["no @says", `@id("mine.all") permit (principal, action, resource);`, /^mine\.cedar: a policy has no @says: /],
  [
    "an @id of another file",
    `@id("other.all") @says("All.") permit (principal, action, resource);`,
    /has to begin with/,
  ],
  [
    "an @id that comes twice",
    `@id("mine.all") @says("A.") permit (principal, action, resource);
     @id("mine.all") @says("B.") forbid (principal, action, resource);`,
    /two policies with the @id "mine\.all"/,
  ],
  [
    "an attribute that there is not",
    `@id("mine.all") @says("A.") permit (principal is User, action, resource) when { principal.rolls.contains("x") };`,
    /^mine\.cedar: .*rolls/,
  ],
  [
    "an attribute that may be absent",
    `@id("mine.all") @says("A.") permit (principal, action, resource is Thread) when { resource.owner == principal.id };`,
    /^mine\.cedar: .*owner.*has/,
  ],
  [
    "a type of resource that there is not",
    `@id("mine.all") @says("A.") permit (principal, action, resource is Thred);`,
    /^mine\.cedar: .*Thred/,
  ],
  [
    "a condition that can never hold",
    `@id("mine.all") @says("A.") permit (principal is Anonymous, action == Action::"share", resource is Model);`,
    /^mine\.cedar: /,
  ],
  ["a template", `@id("mine.all") @says("A.") permit (principal == ?principal, action, resource);`, /templates/],
])("a folder with %s is refused in a sentence", (_, text, sentence) => {
  expect(reading(text)).toThrow(PolicyError);
  expect(reading(text)).toThrow(sentence);
});

test("a schema that is none is refused in a sentence", () => {
  expect(() => readPolicyBook({ schema: "entity User = {", policies: {} })).toThrow(/^schema\.cedarschema: .+\.$/);
});
