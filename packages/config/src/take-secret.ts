import { eraseVariable } from "./erase-variable.ts";
import { readSecret, type Secret } from "./secret.ts";

/** `readSecret` for whoever may keep the secret: the variable is gone from `env` and, if that is it, from the process. */
export function takeSecret(
  env: NodeJS.ProcessEnv,
  name: string,
  options: { readonly warn?: (sentence: string) => void } = {},
): Secret | undefined {
  try {
    return readSecret(env, name, options);
  } finally {
    eraseVariable(name, env);
  }
}
