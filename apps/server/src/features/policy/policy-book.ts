import type { DetailedError, PolicyJson } from "@cedar-policy/cedar-wasm/nodejs";
import {
  checkParseSchema,
  policySetTextToParts,
  policyToJson,
  schemaToJson,
  validate,
} from "@cedar-policy/cedar-wasm/nodejs";
import { PolicyError } from "./policy-error.ts";
import type { PolicyFiles } from "./policy-files.ts";

/** One policy of a folder, or of an organization. */
export type Policy = {
  /** Its annotation `@id`: `threads.own` stands in `threads.cedar`. Decisions carry it. */
  readonly id: string;
  /** Its annotation `@says`: what it is for, as a sentence. */
  readonly says: string;
  /** Its annotation `@tells`, if it has one: what whoever is refused by it reads, in place of a mere no. */
  readonly tells?: string;
  readonly file: string;
  /** In Cedar's own words. */
  readonly text: string;
  readonly json: PolicyJson;
};

/** Policies that fit the schema, in the order in which they stand in the folder. */
export type PolicyBook = {
  readonly schema: string;
  /** What the schema lets anybody ask, e.g. `read Thread`: an action, and a type as the schema calls it. */
  readonly questions: readonly string[];
  readonly policies: readonly Policy[];
};

/** @throws PolicyError for the first thing that is wrong */
export function readPolicyBook(files: PolicyFiles): PolicyBook {
  const parsed = checkParseSchema(files.schema);
  if (parsed.type === "failure") throw wrong("schema.cedarschema", parsed.errors, files.schema);
  const policies = Object.entries(files.policies).flatMap(([file, text]) => parsePolicies(file, text));
  const seen = new Set<string>();
  for (const { id, file } of policies) {
    if (seen.has(id)) throw new PolicyError(`${file}: there are two policies with the @id "${id}".`);
    if (!id.startsWith(`${file.replace(/\.cedar$/, "")}.`)) {
      throw new PolicyError(`${file}: the @id "${id}" has to begin with the name of its file.`);
    }
    seen.add(id);
  }
  checkAgainstSchema(files.schema, policies);
  return { schema: files.schema, questions: questionsOf(files.schema), policies };
}

function questionsOf(schema: string): string[] {
  const answer = schemaToJson(schema);
  if (answer.type === "failure") throw wrong("schema.cedarschema", answer.errors, schema);
  const actions = Object.entries(answer.json[""]?.actions ?? {});
  return actions.flatMap(([action, { appliesTo }]) =>
    (appliesTo?.resourceTypes ?? []).map((type) => `${action} ${type}`),
  );
}

/** @throws PolicyError where the text is not Cedar, or a policy has no `@id` or `@says` */
export function parsePolicies(file: string, text: string): Policy[] {
  const parts = policySetTextToParts(text);
  if (parts.type === "failure") throw wrong(file, parts.errors, text);
  if (parts.policy_templates.length > 0)
    throw new PolicyError(`${file}: templates (?principal, ?resource) are not used.`);
  const policies = parts.policies.map((each) => parsePolicy(file, each));
  return policies.sort((one, other) => placeOf(one, text) - placeOf(other, text));
}

function placeOf({ text }: Policy, whole: string): number {
  return whole.indexOf(text);
}

function parsePolicy(file: string, text: string): Policy {
  const answer = policyToJson(text);
  if (answer.type === "failure") throw wrong(file, answer.errors, text);
  const { id, says, tells } = answer.json.annotations ?? {};
  if (id === undefined || says === undefined) {
    const missing = id === undefined ? "@id" : "@says";
    throw new PolicyError(`${file}: a policy has no ${missing}: ${JSON.stringify(text.slice(0, 80))}.`);
  }
  return { id, says, ...(typeof tells === "string" ? { tells } : {}), file, text, json: answer.json };
}

/** @throws PolicyError */
export function checkAgainstSchema(schema: string, policies: readonly Policy[]): void {
  const staticPolicies = Object.fromEntries(policies.map(({ id, text }) => [id, text]));
  const answer = validate({ schema, policies: { staticPolicies } });
  if (answer.type === "failure") throw wrong("policies", answer.errors, "");
  const [first] = [...answer.validationErrors, ...answer.validationWarnings];
  if (first === undefined) return;
  const policy = policies.find(({ id }) => id === first.policyId);
  throw wrong(policy?.file ?? "policies", [first.error], policy?.text ?? "");
}

function wrong(file: string, errors: readonly DetailedError[], text: string): PolicyError {
  const [first] = errors;
  if (first === undefined) return new PolicyError(`${file}: this cannot be used.`);
  const { message, help, sourceLocations: [place] = [] } = first;
  const at = place === undefined ? "" : `, at ${JSON.stringify(excerpt(text, place.start, place.end))}`;
  const advice = help === null ? "" : ` (${help})`;
  return new PolicyError(`${file}: ${message}${at}${advice}.`);
}

/** Cedar counts bytes. */
function excerpt(text: string, start: number, end: number): string {
  const bytes = Buffer.from(text).subarray(start, Math.min(Math.max(end, start + 1), start + 60));
  return bytes.toString().replace(/\s+/g, " ");
}
