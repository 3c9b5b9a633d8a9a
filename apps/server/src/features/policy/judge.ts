import type { EntityJson } from "@cedar-policy/cedar-wasm/nodejs";
import { preparsePolicySet, statefulIsAuthorized } from "@cedar-policy/cedar-wasm/nodejs";
import type { Action, Decision } from "../../kit/policy.ts";
import type { Policy } from "./policy-book.ts";

/** What decides where no policy does: nobody may do what nobody has allowed. */
export const DEFAULT_POLICY = "default";

/** Asks Cedar; takes some hundred microseconds. */
export type Judge = (principal: EntityJson, action: Action, resource: EntityJson) => Decision;

let judges = 0;

/**
 * Of a whole set, Cedar is given only those policies whose head fits the kinds of the question: the others cannot say
 * anything, but would be looked at.
 */
export function createJudge(policies: readonly Policy[]): Judge {
  judges += 1;
  const name = `judge-${judges}`;
  const prepared = new Set<string>();

  function prepare(principal: string, action: Action, resource: string): string {
    const id = `${name}/${principal}/${action}/${resource}`;
    if (prepared.has(id)) return id;
    const fitting = policies.filter((policy) => fits(policy, principal, action, resource));
    const staticPolicies = Object.fromEntries(fitting.map((policy) => [policy.id, policy.text]));
    const answer = preparsePolicySet(id, { staticPolicies });
    if (answer.type === "failure") throw new Error(`Cedar refused checked policies: ${answer.errors[0]?.message}`);
    prepared.add(id);
    return id;
  }

  return (principal, action, resource) => {
    const answer = statefulIsAuthorized({
      principal: principal.uid,
      action: { type: "Action", id: action },
      resource: resource.uid,
      context: {},
      preparsedPolicySetId: prepare(typeOf(principal), action, typeOf(resource)),
      entities: [principal, resource],
    });
    if (answer.type === "failure") throw new Error(`Cedar could not decide: ${answer.errors[0]?.message}`);
    const { decision, diagnostics } = answer.response;
    const [error] = diagnostics.errors;
    // A policy that fails might be one that forbids.
    if (error !== undefined) return { allowed: false, policy: error.policyId };
    const reasons = new Set(diagnostics.reason);
    const decisive = policies.find(({ id }) => reasons.has(id));
    const allowed = decision === "allow";
    const tells = allowed ? undefined : decisive?.tells;
    return { allowed, policy: decisive?.id ?? DEFAULT_POLICY, ...(tells === undefined ? {} : { tells }) };
  };
}

function typeOf({ uid }: EntityJson): string {
  return "__entity" in uid ? uid.__entity.type : uid.type;
}

/** Whether the head of a policy (not its conditions) leaves room for such a question. */
export function fits({ json }: Policy, principal: string, action: Action, resource: string): boolean {
  return (
    fitsEntity(json.principal, principal) && fitsAction(json.action, action) && fitsEntity(json.resource, resource)
  );
}

type Constraint = Policy["json"]["principal"] | Policy["json"]["resource"];

function fitsEntity(constraint: Constraint, type: string): boolean {
  return constraint.op !== "is" || constraint.entity_type === type;
}

function fitsAction(constraint: Policy["json"]["action"], action: Action): boolean {
  if (constraint.op === "All") return true;
  const named = "entities" in constraint ? constraint.entities : "entity" in constraint ? [constraint.entity] : [];
  return named.some((each) => ("__entity" in each ? each.__entity.id : each.id) === action);
}
