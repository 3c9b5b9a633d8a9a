import { createGitRepository, type GitRepository, type RepositoryFiles } from "../environment/git-repository.ts";

const FILES: RepositoryFiles = {
  "package.json": `${JSON.stringify(
    {
      name: "page-numbers",
      version: "1.0.0",
      private: true,
      type: "module",
      description: "Small helpers for lists that are shown in pages",
      scripts: { test: "node --test" },
    },
    null,
    2,
  )}\n`,
  "README.md": `# page-numbers

Small helpers for lists that are shown in pages. Plain JavaScript, no dependencies.

    npm test
`,
  "AGENTS.md": `# Notes for agents

- Tests: \`npm test\` (Node's own test runner). They say what is right; change the source, not them.
- Plain JavaScript modules, no dependencies, no build step.
- One concept a file in \`src/\`, its tests in \`test/\`.
`,
  "src/paginate.js": `/** How many pages \`total\` items fill, with \`perPage\` items on each. */
export function pageCount(total, perPage) {
  return Math.floor(total / perPage) + 1;
}

/** The items of one page; pages are counted from 1. */
export function pageOf(items, page, perPage) {
  const start = (page - 1) * perPage;
  return items.slice(start, start + perPage);
}
`,
  "src/page-label.js": `import { pageCount } from "./paginate.js";

/** "Page 2 of 5", as it stands under a list. */
export function pageLabel(page, total, perPage) {
  return \`Page \${page} of \${pageCount(total, perPage)}\`;
}
`,
  "test/paginate.test.js": `import assert from "node:assert/strict";
import { test } from "node:test";
import { pageCount, pageOf } from "../src/paginate.js";

test("a rest gets a page of its own", () => {
  assert.equal(pageCount(11, 5), 3);
});

test("items that fill their pages need no more", () => {
  assert.equal(pageCount(10, 5), 2);
});

test("the last page holds the rest", () => {
  assert.deepEqual(pageOf(["a", "b", "c"], 2, 2), ["c"]);
});
`,
  "test/page-label.test.js": `import assert from "node:assert/strict";
import { test } from "node:test";
import { pageLabel } from "../src/page-label.js";

test("a label counts the pages", () => {
  assert.equal(pageLabel(2, 9, 4), "Page 2 of 3");
});
`,
};

/**
 * A small real repository for the demo: a Node package without dependencies, with one commit and one failing test (an
 * exact division counts a page too many). `directory` must be empty or missing.
 */
export function createDemoRepository(directory: string): Promise<GitRepository> {
  return createGitRepository(FILES, { directory, message: "feat: count and cut pages" });
}
