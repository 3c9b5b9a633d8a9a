import { createHash } from "node:crypto";
import checked from "../../../policies/checked.json" with { type: "json" };
import { type PolicyBook, readPolicyBook } from "./policy-book.ts";
import { type PolicyFiles, policyFiles } from "./policy-files.ts";

let known: PolicyBook | undefined;

/**
 * The policies of the folder. To check them takes half a second, which is why `checked.json` keeps the outcome together
 * with the digest of what was checked: a folder that has another one is checked now.
 * @throws PolicyError where they do not fit the schema
 */
export function builtInPolicies(): PolicyBook {
  known ??= bookOf(policyFiles(), checked as unknown as CheckedPolicies);
  return known;
}

/** What `checked.json` holds; a test writes it. */
export type CheckedPolicies = Pick<PolicyBook, "questions" | "policies"> & { readonly digest: string };

export function bookOf(files: PolicyFiles, { digest, questions, policies }: CheckedPolicies): PolicyBook {
  return digest === digestOf(files) ? { schema: files.schema, questions, policies } : readPolicyBook(files);
}

export function checkedPolicies(files: PolicyFiles): CheckedPolicies {
  const { questions, policies } = readPolicyBook(files);
  return { digest: digestOf(files), questions, policies };
}

function digestOf(files: PolicyFiles): string {
  return createHash("sha256").update(JSON.stringify(files)).digest("hex");
}
