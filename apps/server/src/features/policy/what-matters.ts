import type { Action } from "../../kit/policy.ts";
import type { Policy } from "./policy-book.ts";

type Question = { readonly action: Action; readonly resourceType: string };

/**
 * What of a resource some policies look at when they are asked about an action and a type of resource: names of
 * attributes, and `id` for the resource itself.
 */
export function attributesThatMatter(policies: readonly Policy[], question: Question): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { json } of policies) {
    const { resource } = json;
    if (resource.op !== "All" && !(resource.op === "is" && resource.in === undefined)) found.add("id");
    for (const { body } of json.conditions) look(body, question, found);
  }
  return found;
}

type Operands = { readonly left?: unknown; readonly right?: unknown; readonly arg?: unknown } & Record<string, unknown>;

/**
 * Cedar's JSON format: an expression is an object with the name of its operator as the one key. Gives its value where
 * the question alone says it; what is not evaluated then does not matter.
 */
function look(expression: unknown, question: Question, found: Set<string>): boolean | undefined {
  if (typeof expression !== "object" || expression === null) return undefined;
  const [entry] = Object.entries(expression);
  if (entry === undefined) return undefined;
  const [operator, operands] = entry as [string, Operands];
  const ofResource = isVariable(operands?.left, "resource");
  switch (operator) {
    case "Var":
      if (isVariable(expression, "resource")) found.add("id");
      return undefined;
    case "&&":
    case "||": {
      const decisive = operator === "||";
      const left = look(operands.left, question, found);
      if (left === decisive) return decisive;
      const right = look(operands.right, question, found);
      if (right === decisive) return decisive;
      return left === undefined || right === undefined ? undefined : !decisive;
    }
    case "is":
      if (ofResource && operands.in === undefined) return operands.entity_type === question.resourceType;
      break;
    case "==":
      if (isVariable(operands.left, "action")) return actionIn(operands.right) === question.action;
      break;
    case ".":
    case "has":
      if (ofResource && typeof operands.attr === "string") {
        found.add(operands.attr);
        return undefined;
      }
  }
  for (const each of Object.values(operands ?? {})) look(each, question, found);
  return undefined;
}

function isVariable(expression: unknown, name: string): boolean {
  return (expression as { Var?: string } | undefined)?.Var === name;
}

function actionIn(expression: unknown): string | undefined {
  return (expression as { Value?: { __entity?: { id?: string } } }).Value?.__entity?.id;
}
