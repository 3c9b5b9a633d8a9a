import type { LoomDirectories } from "@loom/config";
import type { ThreadSearch } from "@loom/tools";
import { type OpenedThread, openIndex } from "./thread-access.ts";

/** For an agent a hit has to tell more than for a person, who can go and look. */
const SNIPPET_UNITS = 600;

/**
 * The person's threads on this machine, for the agent to look things up in. The conversation that it is in is left out:
 * it knows that already, unless the beginning was too long for it. So are threads that are to stay on this machine.
 */
export function threadSearch(options: {
  readonly directories: LoomDirectories;
  readonly workspace: string;
  readonly current: OpenedThread;
}): ThreadSearch {
  const { directories, workspace, current } = options;
  const knowsAll = (current.thread?.skipped ?? 0) === 0;
  return {
    async search({ query, maxResults, allWorkspaces }) {
      const index = await openIndex(directories);
      try {
        const hits = index.search(query, {
          limit: maxResults,
          snippetUnits: SNIPPET_UNITS,
          // What the agent reads goes to the model, and into a thread that may be shared.
          private: false,
          ...(allWorkspaces ? {} : { workspace }),
          ...(knowsAll ? { exceptId: current.writer.id } : {}),
        });
        return hits.map(({ threadId, title, turn, role, at, snippet }) => ({
          threadId,
          title,
          turn,
          role,
          at,
          text: snippet.text,
        }));
      } finally {
        index.close();
      }
    },
  };
}
