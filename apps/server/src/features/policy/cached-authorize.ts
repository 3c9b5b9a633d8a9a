import type { EntityJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { Action, Authorize, Decision, Resource, ResourceType } from "../../kit/policy.ts";
import type { Subject } from "../../kit/subject.ts";
import {
  organizationOf,
  PRINCIPAL_ENTITIES,
  principalEntity,
  RESOURCE_ENTITIES,
  resourceEntity,
  teamOf,
} from "./entities.ts";
import { createJudge, fits } from "./judge.ts";
import type { Policy, PolicyBook } from "./policy-book.ts";
import { attributesThatMatter } from "./what-matters.ts";

/** Different standings that are remembered; those met first are forgotten first. */
const MAX_STANDINGS = 500;
/** Decisions about each; then it begins anew. */
const MAX_DECISIONS = 200;

/** What the schema does not let anybody ask, nobody may: a route that asks it has to be made known first. */
const UNKNOWN_QUESTION: Decision = { allowed: false, policy: "unknown-question" };

/** What is known of all subjects that stand alike. */
type Known = { readonly principal: EntityJson; readonly decisions: Map<string, Decision> };

/**
 * Asks Cedar once about what cannot turn out differently: the same standing, the same action, and a resource with the
 * same in all that the policies look at. A subject whose roles have changed is another object with another standing, so
 * that nothing has to be forgotten.
 */
export function createAuthorize({ questions, policies }: PolicyBook): Authorize {
  const asked = new Set(questions);
  const judge = createJudge(policies);
  const keyOf = createKeys(policies);
  const bySubject = new WeakMap<Subject, Known>();
  const byStanding = new Map<string, Known>();

  function meet(subject: Subject): Known {
    const principal = principalEntity(subject);
    const standing = JSON.stringify(principal);
    const known = byStanding.get(standing) ?? { principal, decisions: new Map() };
    byStanding.set(standing, known);
    const [oldest] = byStanding.keys();
    if (byStanding.size > MAX_STANDINGS && oldest !== undefined) byStanding.delete(oldest);
    bySubject.set(subject, known);
    return known;
  }

  return (subject, action, resource) => {
    const known = bySubject.get(subject) ?? meet(subject);
    const key = keyOf(action, resource);
    const decided = known.decisions.get(key);
    if (decided !== undefined) return decided;
    if (known.decisions.size >= MAX_DECISIONS) known.decisions.clear();
    const decision = asked.has(`${action} ${RESOURCE_ENTITIES[resource.type]}`)
      ? judge(known.principal, action, resourceEntity(resource))
      : UNKNOWN_QUESTION;
    known.decisions.set(key, decision);
    return decision;
  };
}

/** Of types where nothing matters but the type, as on the gateway's path, the key is at hand. */
function createKeys(policies: readonly Policy[]): (action: Action, resource: Resource) => string {
  const byType = new Map<ResourceType, Map<Action, Key>>();

  function meet(action: Action, type: ResourceType): Key {
    const key = new Key(action, type, mattersFor(policies, action, type));
    const actions = byType.get(type) ?? new Map();
    byType.set(type, actions.set(action, key));
    return key;
  }

  return (action, resource) => (byType.get(resource.type)?.get(action) ?? meet(action, resource.type)).of(resource);
}

function mattersFor(policies: readonly Policy[], action: Action, type: ResourceType): ReadonlySet<string> {
  const resourceType = RESOURCE_ENTITIES[type];
  const fitting = policies.filter((policy) =>
    Object.values(PRINCIPAL_ENTITIES).some((principal) => fits(policy, principal, action, resourceType)),
  );
  return attributesThatMatter(fitting, { action, resourceType });
}

class Key {
  readonly #plain: string;
  readonly #matters: readonly string[];

  constructor(action: Action, type: ResourceType, matters: ReadonlySet<string>) {
    this.#plain = `${action} ${type}`;
    this.#matters = [...matters];
  }

  /** With the length of each value, so that none can pass for another that begins or ends elsewhere. */
  of(resource: Resource): string {
    let key = this.#plain;
    for (const name of this.#matters) {
      const value = attributeOf(resource, name);
      key += value === undefined ? "|" : `|${value.length}:${value}`;
    }
    return key;
  }
}

/** As `resourceEntity` says it. */
function attributeOf(resource: Resource, name: string): string | undefined {
  switch (name) {
    case "id":
      return resource.id ?? "";
    case "organization":
      return organizationOf(resource);
    case "team":
      return teamOf(resource);
    case "visibility":
      return resource.visibility ?? "private";
    case "sharedWithSupport":
      return resource.sharedWithSupport === true ? "yes" : "no";
    default:
      return resource.owner;
  }
}
