import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
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

/** The packages the bundle still imports when it runs: what has to be installed beside it. */
export async function packagesBesideBundle(): Promise<readonly string[]> {
  const { metafile } = await build({
    entryPoints: [BUNDLE],
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    write: false,
    metafile: true,
    logLevel: "silent",
  });
  const imports = Object.values(metafile.inputs).flatMap((input) => input.imports);
  const names = imports.filter(({ external, path }) => external && !path.startsWith("node:")).map(({ path }) => path);
  return [...new Set(names)].sort();
}
