import { schemaToJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { Action, ResourceType } from "../../kit/policy.ts";
import { RESOURCE_ENTITIES } from "./entities.ts";

/** Whether the schema lets an action be asked about a type of resource. */
export type KnowsQuestion = (action: Action, type: ResourceType) => boolean;

/** @throws Error for a schema that was not checked before */
export function questionsOf(schema: string): KnowsQuestion {
  const answer = schemaToJson(schema);
  if (answer.type === "failure") throw new Error(`Cedar refused a checked schema: ${answer.errors[0]?.message}`);
  const actions = answer.json[""]?.actions ?? {};
  return (action, type) => actions[action]?.appliesTo?.resourceTypes.includes(RESOURCE_ENTITIES[type]) === true;
}
