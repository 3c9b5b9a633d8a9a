import { builtInPolicies } from "../apps/server/src/features/policy/built-in-policies.ts";
import { createAuthorize } from "../apps/server/src/features/policy/cached-authorize.ts";
import type { Resource } from "../apps/server/src/kit/policy.ts";
import type { Subject } from "../apps/server/src/kit/subject.ts";
import { machine, table } from "./markdown.ts";
import { median } from "./statistics.ts";
import { writeBetweenMarkers } from "./write-docs.ts";

const WARM = 200_000;
const ROUNDS = 15;
const COLD = 400;

const THREAD: Resource = {
  type: "thread",
  id: "T-1",
  owner: "user-x",
  organization: "org-1",
  visibility: "organization",
};

/** Prints what a decision costs: one that was made before, and one that Cedar makes. */
export async function benchPolicy({ writeDocs }: { readonly writeDocs: boolean }): Promise<void> {
  const book = builtInPolicies();
  const cases: readonly [string, Resource, "use" | "read"][] = [
    ["a model, on the gateway's path", { type: "model", id: "anthropic" }, "use"],
    ["a thread of an organization", THREAD, "read"],
  ];
  const rows = cases.map(([name, resource, action]) => {
    const authorize = createAuthorize(book);
    const cold = median(
      Array.from({ length: COLD }, (_, index) => timed(() => authorize(person(index), action, resource))),
    );
    const subject = person(0);
    const warm = median(
      Array.from({ length: ROUNDS }, () => timed(() => many(() => authorize(subject, action, resource))) / WARM),
    );
    return [name, warm.toFixed(2), cold.toFixed(0)];
  });
  const figures = table([["microseconds for a decision about", "made before", "made by Cedar"], ...rows]);
  const text = `${book.policies.length} policies on ${machine()}; medians. \`npm run bench -- --policy\`\n\n${figures}`;
  console.log(text);
  if (writeDocs) writeBetweenMarkers("docs/benchmarks.md", text, "policy");
}

/** Each stands differently, so that nothing is known about him. */
function person(index: number): Subject {
  return {
    type: "user",
    id: `user-${index}`,
    name: "somebody",
    globalRoles: [],
    organizations: [{ id: "org-1", role: "member" }],
    teams: [],
    via: { type: "session", id: "session-1", kind: "cli" },
    nodes: [],
  };
}

function many(decide: () => unknown): void {
  for (let index = 0; index < WARM; index += 1) decide();
}

/** Microseconds. */
function timed(work: () => unknown): number {
  const start = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - start) / 1_000;
}
