import type { CedarValueJson, EntityJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { ResourceAttribute } from "../../kit/list-filter.ts";
import type { Action } from "../../kit/policy.ts";
import { allOf, anyOf, type Condition, not, oneOf } from "./condition.ts";
import { fits } from "./judge.ts";
import type { Policy } from "./policy-book.ts";
import { PolicyError } from "./policy-error.ts";

/** Everything about a question but the resource, of which only the type is known, or which attributes it cannot have. */
export type PartialQuestion = {
  readonly principal: EntityJson;
  readonly action: Action;
  /** As the schema calls it. */
  readonly resourceType: string;
  /** What a resource of this list may have; `visibility` and `sharedWithSupport` are always there. */
  readonly attributes: ReadonlySet<ResourceAttribute>;
};

/** A part of an expression: known, or something of the resource, or a condition on it. */
type Part =
  | { readonly type: "value"; readonly value: CedarValueJson }
  | { readonly type: "attribute"; readonly attribute: ResourceAttribute }
  | { readonly type: "condition"; readonly condition: Condition };

type Operands = Record<string, unknown>;

/** What has to hold of the resource so that the policies say yes, and none of them no. */
export function whatAllows(policies: readonly Policy[], question: PartialQuestion): Condition {
  return allOf([whatApplies(policies, "permit", question), not(whatApplies(policies, "forbid", question))]);
}

/** What has to hold of the resource so that at least one of the policies applies. */
export function whatApplies(
  policies: readonly Policy[],
  effect: Policy["json"]["effect"],
  question: PartialQuestion,
): Condition {
  const { principal, action, resourceType } = question;
  const fitting = policies.filter(
    (policy) => policy.json.effect === effect && fits(policy, entityOf(principal.uid).type, action, resourceType),
  );
  return anyOf(fitting.map((policy) => whatMeets(policy, question)));
}

/**
 * What has to hold of the resource so that the conditions of a policy do, whose head fits.
 * @throws PolicyError for what cannot be said about a row of a table
 */
export function whatMeets(policy: Policy, question: PartialQuestion): Condition {
  const evaluate = new Evaluation(policy, question);
  const heads = [policy.json.principal, policy.json.resource];
  if (heads.some(({ op }) => op !== "All" && op !== "is")) throw evaluate.unable("== or in in its head");
  const met: Condition[] = [];
  for (const { kind, body } of policy.json.conditions) {
    const condition = evaluate.condition(body);
    met.push(kind === "when" ? condition : not(condition));
    // What a later one looks at may not be there where this one does not hold.
    if (met.at(-1) === false) return false;
  }
  return allOf(met);
}

class Evaluation {
  readonly #policy: Policy;
  readonly #question: PartialQuestion;

  constructor(policy: Policy, question: PartialQuestion) {
    this.#policy = policy;
    this.#question = question;
  }

  unable(what: string): PolicyError {
    return new PolicyError(
      `${this.#policy.file}: the policy "${this.#policy.id}" uses ${what}, which lists cannot be filtered by.`,
    );
  }

  condition(expression: unknown): Condition {
    const part = this.#part(expression);
    if (part.type === "condition") return part.condition;
    if (part.type === "value" && typeof part.value === "boolean") return part.value;
    if (part.type === "attribute" && part.attribute === "sharedWithSupport") {
      return this.#mayHave(part.attribute) && { attribute: part.attribute, is: "true" };
    }
    throw this.unable("what is neither true nor false");
  }

  #part(expression: unknown): Part {
    const [operator, operands] = Object.entries(expression as object)[0] as [string, Operands];
    switch (operator) {
      case "Value":
        return { type: "value", value: operands as CedarValueJson };
      case "Var":
        return this.#variable(String(operands));
      case "Set":
        return { type: "value", value: (operands as unknown as unknown[]).map((each) => this.#value(each)) };
      case ".":
        return this.#access(operands);
      case "has":
      case "is":
      case "==":
      case "!=":
      case "in":
      case "contains":
      case "!":
      case "&&":
      case "||":
      case "if-then-else":
        return { type: "condition", condition: this.#test(operator, operands) };
      default:
        throw this.unable(operator);
    }
  }

  #test(operator: string, operands: Operands): Condition {
    const { left, right } = operands;
    switch (operator) {
      case "!":
        return not(this.condition(operands.arg));
      case "&&": {
        // What stands behind it may make no sense where the first does not hold.
        const first = this.condition(left);
        return first === false ? false : allOf([first, this.condition(right)]);
      }
      case "||": {
        const first = this.condition(left);
        return first === true ? true : anyOf([first, this.condition(right)]);
      }
      case "if-then-else": {
        const test = this.condition(operands.if);
        if (typeof test === "boolean") return this.condition(test ? operands.then : operands.else);
        return anyOf([allOf([test, this.condition(operands.then)]), allOf([not(test), this.condition(operands.else)])]);
      }
      case "has":
        return this.#has(left, String(operands.attr));
      case "is":
        if (operands.in !== undefined) throw this.unable("is … in");
        return this.#typeOf(left) === operands.entity_type;
      case "contains":
        return this.#among(this.#part(right), this.#elements(left));
      case "in":
        return this.#among(this.#part(left), this.#elements(right));
      case "!=":
        return not(this.#equal(left, right));
      default:
        return this.#equal(left, right);
    }
  }

  #variable(name: string): Part {
    if (name === "resource") return { type: "attribute", attribute: "id" };
    if (name === "principal") return { type: "value", value: { __entity: entityOf(this.#question.principal.uid) } };
    if (name === "action") return { type: "value", value: { __entity: { type: "Action", id: this.#question.action } } };
    throw this.unable(name);
  }

  #access({ left, attr }: Operands): Part {
    const name = String(attr);
    if (isVariable(left, "resource")) return { type: "attribute", attribute: name as ResourceAttribute };
    if (!isVariable(left, "principal")) throw this.unable("an attribute of an attribute");
    const value = this.#question.principal.attrs[name];
    // The schema has it that this stands behind a `has`.
    if (value === undefined) throw this.unable(`an attribute ${name} that the one who asks does not have`);
    return { type: "value", value };
  }

  #has(left: unknown, name: string): Condition {
    if (isVariable(left, "principal")) return this.#question.principal.attrs[name] !== undefined;
    if (!isVariable(left, "resource")) throw this.unable("has of an attribute");
    const attribute = name as ResourceAttribute;
    if (attribute === "visibility" || attribute === "sharedWithSupport") return true;
    return this.#mayHave(attribute) && { attribute, is: "present" };
  }

  #mayHave(attribute: ResourceAttribute): boolean {
    return this.#question.attributes.has(attribute);
  }

  #typeOf(expression: unknown): string {
    if (isVariable(expression, "resource")) return this.#question.resourceType;
    if (isVariable(expression, "principal")) return entityOf(this.#question.principal.uid).type;
    throw this.unable("is of an attribute");
  }

  #equal(left: unknown, right: unknown): Condition {
    const [one, other] = [this.#part(left), this.#part(right)];
    if (one.type === "attribute") return this.#among(one, [this.#known(other)]);
    return this.#among(other, [this.#known(one)]);
  }

  #among(part: Part, values: readonly CedarValueJson[]): Condition {
    if (part.type === "condition") throw this.unable("a condition as a value");
    if (part.type === "value") return values.some((each) => isSame(each, part.value));
    const { attribute } = part;
    if (attribute === "sharedWithSupport") {
      const is = this.#mayHave(attribute) && ({ attribute, is: "true" } as const);
      return anyOf(values.map((value) => (value === true ? is : not(is))));
    }
    const type = { id: this.#question.resourceType, organization: "Organization", team: "Team" }[attribute as string];
    const texts = values.flatMap((value) => textOf(value, type));
    if (attribute === "visibility" && !this.#mayHave(attribute)) return texts.includes("private");
    return this.#mayHave(attribute) && oneOf(attribute, texts);
  }

  #elements(expression: unknown): readonly CedarValueJson[] {
    const value = this.#value(expression);
    return Array.isArray(value) ? value : [value];
  }

  #value(expression: unknown): CedarValueJson {
    return this.#known(this.#part(expression));
  }

  #known(part: Part): CedarValueJson {
    if (part.type === "value") return part.value;
    if (part.type === "condition" && typeof part.condition === "boolean") return part.condition;
    throw this.unable("two things of the resource at once");
  }
}

type Entity = { readonly type: string; readonly id: string };

function entityOf(uid: EntityJson["uid"]): Entity {
  return "__entity" in uid ? uid.__entity : uid;
}

function isVariable(expression: unknown, name: string): boolean {
  return (expression as { Var?: string } | undefined)?.Var === name;
}

function isSame(one: CedarValueJson, other: CedarValueJson): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** What a column holds for a value; nothing where it is of another type. */
function textOf(value: CedarValueJson, type: string | undefined): readonly string[] {
  if (type === undefined) return typeof value === "string" ? [value] : [];
  const entity = (value as { __entity?: Entity } | null)?.__entity;
  return entity?.type === type ? [entity.id] : [];
}
