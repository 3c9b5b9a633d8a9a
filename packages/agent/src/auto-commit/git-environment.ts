type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The environment of git and of the hooks it runs: the person's own, without what could lead git to another repository
 * (a `loom` that was itself started by a git hook), without Loom's settings, and without keys of model providers.
 */
export function gitEnvironment(environment: Environment): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && !LEADS_ELSEWHERE.has(name) && !isPrivate(name)) kept[name] = value;
  }
  // Nobody is there to answer, and looking must not take locks that the person's own git needs.
  return { ...kept, GIT_TERMINAL_PROMPT: "0", GIT_EDITOR: "true", GIT_OPTIONAL_LOCKS: "0" };
}

/** `git rev-parse --local-env-vars`, apart from those for configuration. */
const LEADS_ELSEWHERE = new Set([
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
  "GIT_OBJECT_DIRECTORY",
  "GIT_DIR",
  "GIT_WORK_TREE",
  "GIT_IMPLICIT_WORK_TREE",
  "GIT_GRAFT_FILE",
  "GIT_INDEX_FILE",
  "GIT_NO_REPLACE_OBJECTS",
  "GIT_REPLACE_REF_BASE",
  "GIT_PREFIX",
  "GIT_SHALLOW_FILE",
  "GIT_COMMON_DIR",
  "GIT_NAMESPACE",
  "GIT_QUARANTINE_PATH",
]);

function isPrivate(name: string): boolean {
  return /^LOOM_|_API_KEY(_FILE)?$|^(ANTHROPIC|OPENAI)_/i.test(name);
}
