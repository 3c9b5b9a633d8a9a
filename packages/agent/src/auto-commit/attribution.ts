import type { GitPath, WorkTreeSnapshot } from "./work-tree.ts";

export type AttributionInput = {
  readonly before: WorkTreeSnapshot;
  readonly after: WorkTreeSnapshot;
  /** What the agent changed earlier and nobody has committed, as it left it. */
  readonly owed: ReadonlyMap<GitPath, string>;
  /** What the tools say they changed; `"unknown"` where one of them cannot tell. */
  readonly reported: ReadonlySet<GitPath> | "unknown";
};

export type Attribution = {
  /** Changed by the agent alone. */
  readonly agents: readonly GitPath[];
  /** Changed by the agent, on top of changes that the person had not committed. */
  readonly mixed: readonly GitPath[];
};

/**
 * Whose is what in the working tree. A file is the agent's if it was as in HEAD (or as the agent left it) before the
 * tools ran, and is not now. A file that was already changed is the person's, whatever the agent did to it since.
 */
export function attribute({ before, after, owed, reported }: AttributionInput): Attribution {
  const agents: GitPath[] = [];
  const mixed: GitPath[] = [];
  for (const [path, signature] of after.dirty) {
    const earlier = before.dirty.get(path);
    const touched = earlier !== signature && (reported === "unknown" || reported.has(path));
    if (earlier === undefined) {
      if (touched) agents.push(path);
    } else if (owed.get(path) === earlier) {
      // Changed since, but not by a tool: the person has taken it over.
      if (touched || earlier === signature) agents.push(path);
    } else if (touched) mixed.push(path);
  }
  return { agents, mixed };
}
