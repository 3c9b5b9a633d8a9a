import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "./command.ts";
import { environment, type Place, type Subject } from "./subject.ts";

export const CHECKOUT = join(import.meta.dirname, "..");
export const BUNDLE = join(CHECKOUT, "dist", "loom.mjs");

/** Loom as it is delivered: the bundle that `npm run build` makes, on this Node. */
export function loom(): Subject | undefined {
  if (!existsSync(BUNDLE)) return undefined;
  const run = (place: Place, args: readonly string[]): Command => ({
    file: process.execPath,
    args: [BUNDLE, ...args],
    env: environment(place, { LOOM_OPENAI_BASE_URL: `${place.modelUrl}/v1` }),
    cwd: place.workspace,
  });
  const manifest = JSON.parse(readFileSync(join(CHECKOUT, "apps", "cli", "package.json"), "utf8")) as {
    version: string;
  };
  return {
    name: "loom",
    version: manifest.version,
    prepare() {},
    turn: (place, prompt) => run(place, ["-p", prompt]),
    flag: (place, flag) => run(place, [flag]),
  };
}

/** The same through the command of the checkout (`npx loom`): it looks for the right Node first and runs from source. */
export function loomFromSource(place: Place, flag: string): Command {
  const launcher = join(CHECKOUT, "apps", "cli", "bin", "loom.js");
  return { file: process.execPath, args: [launcher, flag], env: environment(place), cwd: place.workspace };
}

/** Names of the packages to install beside the bundle: what the build says it needs when it runs. */
export function packagesBesideBundle(): readonly string[] {
  const text = readFileSync(join(CHECKOUT, "dist", "package.json"), "utf8");
  return Object.keys((JSON.parse(text) as { dependencies: Record<string, string> }).dependencies);
}
