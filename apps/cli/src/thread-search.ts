import type { SearchOptions } from "@loom/threads/thread-index";
import type { ThreadSearch } from "@loom/tools";
import { searchEverywhere } from "./server-search.ts";
import type { Settings } from "./settings.ts";
import { type OpenedThread, openIndex } from "./thread-access.ts";

/** For an agent a hit has to tell more than for a person, who can go and look. */
const SNIPPET_UNITS = 600;

/**
 * The person's threads on this machine and on the configured server, for the agent to look things up in. The conversation that it is in is left out:
 * it knows that already, unless the beginning was too long for it. So are threads that are to stay on this machine; and from such a thread no question goes to the server.
 */
export function threadSearch(options: { readonly settings: Settings; readonly current: OpenedThread }): ThreadSearch {
  const { settings, current } = options;
  const { directories, workspace } = settings;
  const knowsAll = (current.thread?.skipped ?? 0) === 0;
  return {
    async search({ query, maxResults, allWorkspaces, everyone, signal }) {
      const index = await openIndex(directories);
      try {
        const wanted: SearchOptions = {
          limit: maxResults,
          snippetUnits: SNIPPET_UNITS,
          // What the agent reads goes to the model, and into a thread that may be shared.
          private: false,
          ...(allWorkspaces ? {} : { workspace }),
          ...(knowsAll ? { exceptId: current.writer.id } : {}),
        };
        const hits = current.private
          ? index.search(query, wanted)
          : (await searchEverywhere(settings, index, query, wanted, { everyone, signal })).items;
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
