import type { ModelClient, PostToolsHook } from "../session-types.ts";

export type AutoCommitOptions = {
  /** Absolute path. */
  readonly workspace: string;
  /** Writes the messages; without it they are made of the paths. */
  readonly model?: ModelClient;
  /** Model id, or alias that the server knows; `fast` unless given. */
  readonly modelName?: string;
  /** Environment of git and of the repository's hooks; keys and Loom's own settings are left out. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** How long a model may take for a message; 10 s unless given. */
  readonly messageDeadlineMs?: number;
  /** How long a commit may take, with its hooks; 30 s unless given. */
  readonly commitDeadlineMs?: number;
};

/**
 * Commits what the agent's tools changed, and nothing else, after each round of tools: files that were as in HEAD
 * before and are not now. Of a file that already had changes of the person's, only what a tool is known to have changed in it is
 * committed, and nothing where the two touch. While the model
 * thinks about its next step, the message is written and the commit made; the next change waits for it. Whatever goes
 * wrong is at most a notice; changes that could not be committed go into the next commit.
 *
 * Nothing is done without a repository, without git, where the repository cannot be written, with a detached HEAD (the
 * commit would be on no branch), and in the middle of a merge, a rebase or the like.
 */
export function createAutoCommit(options: AutoCommitOptions): PostToolsHook {
  // Loaded with the first change: many sessions make none.
  let loaded: Promise<PostToolsHook> | undefined;
  const load = () => {
    loaded ??= import("./auto-commit.ts").then(({ AutoCommit }) => new AutoCommit(options));
    return loaded;
  };
  return {
    beforeTools: async (signal) => (await load()).beforeTools(signal),
    afterTools: async (tools, report) => (await load()).afterTools(tools, report),
    afterFailedTools: async (tools) => (await load()).afterFailedTools(tools),
    settled: async (how) => (await loaded)?.settled(how),
  };
}
