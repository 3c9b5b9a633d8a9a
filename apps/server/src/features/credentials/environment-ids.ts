import { hash } from "node:crypto";
import type { Secret } from "@loom/config";

/** The one key of a provider, whatever it is. */
export function environmentId(provider: string): string {
  return `${provider}-environment`;
}

/** One of many keys of a provider. */
export function environmentIdOf(provider: string, key: Secret): string {
  return `${provider}-environment-${hash("sha256", key.expose(), "hex").slice(0, 8)}`;
}

/**
 * Whether it is, or could become, the id of a credential of the environment. Not only those that are there now: a key file
 * changes while the server runs, and the command line does not know the server's environment.
 */
export function isEnvironmentId(text: string): boolean {
  return /^[a-z][a-z0-9-]*-environment(?:-[0-9a-f]{8})?$/.test(text);
}
