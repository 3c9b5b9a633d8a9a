import { expect, test } from "vitest";
import { createGitRepository } from "../environment/git-repository.ts";
import { commitMessageFor } from "./commit-message.ts";

const SOURCE = `export function first() {
  return 1;
}

export function second(list) {
  return list.length + 1;
}
`;

test("the message names what a real diff changed", async () => {
  await using repository = await createGitRepository({ "src/count.js": SOURCE, "README.md": "# Count\n" });
  await repository.write({ "src/count.js": SOURCE.replace("+ 1", "") });
  expect(commitMessageFor(`Here it is:\n\n${await repository.git("diff")}`)).toBe("fix(count): correct second");
  await repository.write({ "README.md": "# Counting\n" });
  expect(commitMessageFor(await repository.git("diff", "README.md"))).toBe("docs(README): update README.md");
  expect(commitMessageFor(await repository.git("diff"))).toBe("fix: update README and 1 more");
});

test("new, removed and test files have their own words", async () => {
  await using repository = await createGitRepository({ "old.js": "1;\n", "test/a.test.js": "1;\n" });
  await repository.write({ "new.js": "2;\n" });
  await repository.git("add", "--all");
  expect(commitMessageFor(await repository.git("diff", "--cached"))).toBe("feat: add new");
  await repository.git("rm", "--quiet", "old.js");
  expect(commitMessageFor(await repository.git("diff", "--cached", "--", "old.js"))).toBe("chore: remove old");
  await repository.write({ "test/a.test.js": "2;\n" });
  expect(commitMessageFor(await repository.git("diff", "test"))).toBe("test(a): update a.test.js");
});

test("a name with a space, and a text without a diff", async () => {
  await using repository = await createGitRepository({ "two words.js": "1;\n" });
  await repository.write({ "two words.js": "2;\n" });
  expect(commitMessageFor(await repository.git("diff"))).toBe("fix(two words): correct two words.js");
  expect(commitMessageFor("nothing to see")).toBe("chore: update files");
});
