import { readdirSync, readFileSync } from "node:fs";

/** The folder `apps/server/policies`: what the schema says, and each file of policies by its name. */
export type PolicyFiles = {
  readonly schema: string;
  readonly policies: { readonly [file: string]: string };
};

/** A bundle carries the texts in itself; `scripts/build.ts` puts them in. */
declare const LOOM_POLICIES: PolicyFiles | undefined;

export const POLICY_FOLDER = new URL("../../../policies/", import.meta.url);

export function policyFiles(): PolicyFiles {
  return typeof LOOM_POLICIES === "undefined" ? readPolicyFolder(POLICY_FOLDER) : LOOM_POLICIES;
}

export function readPolicyFolder(folder: URL): PolicyFiles {
  const names = readdirSync(folder).filter((name) => name.endsWith(".cedar"));
  const read = (name: string): string => readFileSync(new URL(name, folder), "utf8");
  return {
    schema: read("schema.cedarschema"),
    policies: Object.fromEntries(names.sort().map((name) => [name, read(name)])),
  };
}
