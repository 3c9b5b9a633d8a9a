import { expect, test } from "vitest";
import { bookOf, builtInPolicies, type CheckedPolicies, checkedPolicies } from "./built-in-policies.ts";
import { PolicyError } from "./policy-error.ts";
import { policyFiles } from "./policy-files.ts";

/** A line for each policy, so that two changes meet only where they change the same. */
function written({ digest, questions, policies }: CheckedPolicies): string {
  const lines = policies.map((each) => JSON.stringify(each)).join(",\n");
  const head = `{"digest":${JSON.stringify(digest)},\n"questions":${JSON.stringify(questions)},\n`;
  return `${head}"policies":[\n${lines}\n]}\n`;
}

test("checked.json holds what a check of the folder gives now", async () => {
  const checked = checkedPolicies(policyFiles());
  await expect(written(checked)).toMatchFileSnapshot("../../../policies/checked.json");
  expect(builtInPolicies()).toMatchObject({ questions: checked.questions, policies: checked.policies });
});

test("a folder that is not the one that was checked is checked", () => {
  const files = policyFiles();
  const checked = checkedPolicies(files);
  const wrong = { ...files, policies: { ...files.policies, "teams.cedar": "permit (principal, action, resource);" } };
  expect(() => bookOf(wrong, checked)).toThrow(PolicyError);
  const fewer = { ...files, policies: { "models.cedar": files.policies["models.cedar"] ?? "" } };
  expect(new Set(bookOf(fewer, checked).policies.map(({ file }) => file))).toEqual(new Set(["models.cedar"]));
});
