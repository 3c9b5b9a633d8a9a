import { policySetTextToParts, policyToJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { ResourceAttribute } from "../../kit/list-filter.ts";
import type { Action } from "../../kit/policy.ts";
import type { Subject } from "../../kit/subject.ts";
import { principalEntity } from "./entities.ts";
import { whatApplies } from "./evaluate.ts";
import { checkAgainstSchema, type Policy, type PolicyBook } from "./policy-book.ts";
import { PolicyError } from "./policy-error.ts";

/** Decisions carry it: the organization, a slash, and the name that the organization has given to the policy. */
export function policyIdOf(organization: string, name: string): string {
  return `${organization}/${name}`;
}

/** A policy as it was checked when it was written. @throws PolicyError where it is not one `forbid` in Cedar */
export function parseOrganizationPolicy(organization: string, name: string, text: string): Policy {
  const parts = policySetTextToParts(text);
  if (parts.type === "failure") throw new PolicyError(`This is no Cedar: ${parts.errors[0]?.message}.`);
  const [only, ...rest] = parts.policies;
  if (only === undefined || rest.length > 0 || parts.policy_templates.length > 0) {
    throw new PolicyError("There has to be one policy in it: give each its own name.");
  }
  const answer = policyToJson(only);
  if (answer.type === "failure") throw new PolicyError(`This is no Cedar: ${answer.errors[0]?.message}.`);
  if (answer.json.effect !== "forbid") {
    throw new PolicyError("An organization's policy can only forbid: begin it with forbid.");
  }
  const says = answer.json.annotations?.says ?? "A policy of the organization.";
  return { id: policyIdOf(organization, name), says, file: "text", text: only, json: answer.json };
}

/** Whoever there may be, so that every part of a policy is looked at. */
const SAMPLES: readonly Subject[] = [
  { type: "owner", nodes: [] },
  { type: "anonymous", nodes: [] },
  { type: "token", id: "token-x", name: "x", scopes: [], nodes: [] },
  { type: "organization_key", id: "key-x", name: "x", organization: "org-x", scopes: [], nodes: [] },
  {
    type: "user",
    id: "user-x",
    name: "x",
    globalRoles: [],
    organizations: [],
    teams: [],
    via: { type: "key", id: "key-x" },
    scopes: [],
    impersonator: { id: "user-y", name: "y" },
    nodes: [],
  },
];

const EVERY_ATTRIBUTE: ReadonlySet<ResourceAttribute> = new Set<ResourceAttribute>([
  ...(["id", "owner", "organization", "team", "visibility", "sharedWithSupport"] as const),
]);

/** @throws PolicyError where it does not fit the schema, or lists could not be filtered by it */
export function checkOrganizationPolicy({ schema, questions }: PolicyBook, policy: Policy): void {
  checkAgainstSchema(schema, [policy]);
  for (const question of questions) {
    const [action = "", resourceType = ""] = question.split(" ");
    for (const sample of SAMPLES) {
      whatApplies([policy], "forbid", {
        principal: principalEntity(sample),
        action: action as Action,
        resourceType,
        attributes: EVERY_ATTRIBUTE,
      });
    }
  }
}
