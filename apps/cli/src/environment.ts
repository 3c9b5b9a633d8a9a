import { eraseVariable } from "@loom/config";

/** Variables that hold a model provider's key, or what such keys are encrypted with, or name the file that does. */
const KEY_VARIABLE = /^(?:(?:LOOM_SERVER_\w+|ANTHROPIC|OPENAI|GEMINI|ZAI)_API_KEYS?|LOOM_SERVER_MASTER_KEY)(?:_FILE)?$/;

/** What the process was started with, told apart by who may see it. */
export type SplitEnvironment = {
  /** For the embedded server: everything, keys included. Not to be kept. */
  readonly withKeys: NodeJS.ProcessEnv;
  /** For commands of the agent and for git: what is left when the keys are gone. */
  readonly forChildren: Readonly<Record<string, string | undefined>>;
};

/**
 * Takes the providers' keys out of this process's environment, so that no child can see them, and hands them out once.
 * To be called before anything starts a child.
 */
export function splitEnvironment(): SplitEnvironment {
  const withKeys = { ...process.env };
  for (const name of Object.keys(withKeys)) if (KEY_VARIABLE.test(name)) eraseVariable(name);
  return { withKeys, forChildren: { ...process.env } };
}
