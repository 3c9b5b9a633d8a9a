import { policyToText } from "@cedar-policy/cedar-wasm/nodejs";
import type { PolicyExplanation } from "@loom/api";
import type { ResourceAttribute } from "../../kit/list-filter.ts";
import type { Action, Authorize, Resource } from "../../kit/policy.ts";
import type { Subject } from "../../kit/subject.ts";
import type { Condition } from "./condition.ts";
import { organizationOf, PRINCIPAL_ENTITIES, principalEntity, RESOURCE_ENTITIES, teamOf } from "./entities.ts";
import { whatMeets } from "./evaluate.ts";
import { fits } from "./judge.ts";
import type { Policy } from "./policy-book.ts";

export type Explain = (subject: Subject, action: Action, resource: Resource) => PolicyExplanation;

export type ExplainNeeds = {
  readonly policies: readonly Policy[];
  readonly authorize: Authorize;
  /** A policy of an organization. */
  readonly ownPolicy: (id: string) => Policy | undefined;
};

export function createExplain({ policies, authorize, ownPolicy }: ExplainNeeds): Explain {
  return (subject, action, resource) => {
    const { allowed, policy: id } = authorize(subject, action, resource);
    const decisive = policies.find((each) => each.id === id) ?? ownPolicy(id);
    const isDefault = !allowed && decisive === undefined;
    return {
      allowed,
      policy: id,
      says: decisive?.says ?? "",
      text: decisive?.text ?? "",
      needed: isDefault ? neededFor(policies, subject, action, resource) : [],
    };
  };
}

/** The policies that could allow it, each with the first of its conditions that does not hold. */
function neededFor(
  policies: readonly Policy[],
  subject: Subject,
  action: Action,
  resource: Resource,
): PolicyExplanation["needed"] {
  const [principalType, resourceType] = [PRINCIPAL_ENTITIES[subject.type], RESOURCE_ENTITIES[resource.type]];
  const could = policies.filter(
    (each) => each.json.effect === "permit" && fits(each, principalType, action, resourceType),
  );
  const attributes = new Set(Object.keys(known(resource)) as ResourceAttribute[]);
  const question = { principal: principalEntity(subject), action, resourceType, attributes };
  return could.flatMap((policy) => {
    const unmet = partsOf(policy).find((part) => !holds(whatMeets(part, question), known(resource)));
    return unmet === undefined ? [] : [{ policy: policy.id, says: policy.says, missing: conditionText(unmet) }];
  });
}

/** A policy for each of the conditions that have to hold together, in their order; earlier ones guard later ones. */
function partsOf(policy: Policy): Policy[] {
  const conditions = policy.json.conditions.flatMap((each): Clause[] =>
    each.kind === "unless" ? [each] : conjuncts(each.body).map((body) => ({ kind: "when", body })),
  );
  return conditions.map((condition) => ({ ...policy, json: { ...policy.json, conditions: [condition] } }));
}

type Clause = Policy["json"]["conditions"][number];
type Expression = Clause["body"];

function conjuncts(body: Expression): Expression[] {
  if (!("&&" in body)) return [body];
  const { left, right } = (body as { "&&": { left: Expression; right: Expression } })["&&"];
  return [...conjuncts(left), ...conjuncts(right)];
}

function conditionText({ json }: Policy): string {
  const anybody = { op: "All" } as const;
  const answer = policyToText({ ...json, annotations: {}, principal: anybody, action: anybody, resource: anybody });
  if (answer.type === "failure") return "";
  return answer.text
    .slice(answer.text.indexOf(")") + 1)
    .replace(/\s+/g, " ")
    .replace(/;\s*$/, "")
    .trim();
}

/** What a resource has, as a row of a list would. */
function known(resource: Resource): Omit<Resource, "type"> {
  const { type: _, ...attributes } = resource;
  const organization = organizationOf(resource);
  const team = teamOf(resource);
  return {
    visibility: "private",
    sharedWithSupport: false,
    id: "",
    ...attributes,
    ...(organization === undefined ? {} : { organization }),
    ...(team === undefined ? {} : { team }),
  };
}

function holds(condition: Condition, resource: Omit<Resource, "type">): boolean {
  if (typeof condition === "boolean") return condition;
  if ("all" in condition) return condition.all.every((each) => holds(each, resource));
  if ("any" in condition) return condition.any.some((each) => holds(each, resource));
  if ("not" in condition) return !holds(condition.not, resource);
  const value = resource[condition.attribute];
  if ("oneOf" in condition) return typeof value === "string" && condition.oneOf.includes(value);
  return condition.is === "true" ? value === true : value !== undefined;
}
