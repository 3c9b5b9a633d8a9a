import { statSync } from "node:fs";
import { join } from "node:path";
import type { Installations } from "./figures.ts";
import { type Installed, installedPackages } from "./installed-packages.ts";
import { BUNDLE, CHECKOUT, packagesBesideBundle } from "./loom.ts";

const PEERS = join(import.meta.dirname, "peers");

/** What each subject puts on the disk; for Loom the bundle and the packages it still needs when it runs. */
export function readInstallations(subjects: ReadonlySet<string>): Installations {
  return {
    loom: subjects.has("loom") ? loomInstallation() : undefined,
    codex: subjects.has("codex") ? installedPackages(PEERS, ["node_modules/@openai/codex"]) : undefined,
    pi: subjects.has("pi") ? installedPackages(PEERS, ["node_modules/@earendil-works/pi-coding-agent"]) : undefined,
    opencode: subjects.has("opencode") ? installedPackages(PEERS, ["node_modules/opencode-ai"]) : undefined,
  };
}

function loomInstallation(): Installed {
  // The root's own optional dependency is Node itself, which arrives as a package.
  const node = `node_modules/node-${process.platform}-${process.arch}`;
  const needed = packagesBesideBundle();
  const installed = installedPackages(CHECKOUT, [node, ...needed.map((name) => `node_modules/${name}`)]);
  return { ...installed, bytes: installed.bytes + statSync(BUNDLE).size };
}
