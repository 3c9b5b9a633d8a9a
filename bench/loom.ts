import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "./command.ts";
import { type Installed, installedPackages } from "./installed-packages.ts";
import { environment, type Place, type Subject } from "./subject.ts";

type Manifest = { readonly version: string; readonly dependencies: Readonly<Record<string, string>> };

export const CHECKOUT = join(import.meta.dirname, "..");
const BUNDLE = join(CHECKOUT, "dist", "loom.mjs");

/** Loom as it is delivered: the bundle that `npm run build` makes (or the one given), on this Node. */
export function loom(bundle = BUNDLE): Subject | undefined {
  if (!existsSync(bundle)) return undefined;
  const run = (place: Place, args: readonly string[]) => loomRun(place, args, { bundle });
  const manifest = JSON.parse(readFileSync(join(CHECKOUT, "apps", "cli", "package.json"), "utf8")) as {
    version: string;
  };
  return {
    name: "loom",
    version: manifest.version,
    prepare() {},
    turn: (place, prompt) => run(place, ["--model", "scripted", "-p", prompt]),
    flag: (place, flag) => run(place, [flag]),
  };
}

/** A run of the bundle that `npm run build` makes (or the one given), on this Node. */
export function loomRun(
  place: Place,
  args: readonly string[],
  { bundle = BUNDLE }: { readonly bundle?: string | undefined } = {},
): Command {
  const env = environment(place, { LOOM_OPENAI_BASE_URL: `${place.modelUrl}/v1`, OPENAI_API_KEY: "none" });
  return { file: process.execPath, args: [bundle, ...args], env, cwd: place.workspace };
}

/** The same through the command of the checkout (`npx loom`): it looks for the right Node first and runs from source. */
export function loomFromSource(place: Place, flag: string): Command {
  const launcher = join(CHECKOUT, "apps", "cli", "bin", "loom.js");
  return { file: process.execPath, args: [launcher, flag], env: environment(place), cwd: place.workspace };
}

/** What is installed with the bundle: Node, and the packages that the build says it needs when it runs. */
export function loomInstallation(bundle = BUNDLE): Installed {
  const manifest = JSON.parse(readFileSync(join(dirname(bundle), "package.json"), "utf8")) as Manifest;
  const names = [`node-${process.platform}-${process.arch}`, ...Object.keys(manifest.dependencies)];
  const installed = installedPackages(
    CHECKOUT,
    names.map((name) => `node_modules/${name}`),
  );
  return { ...installed, bytes: installed.bytes + statSync(bundle).size };
}
