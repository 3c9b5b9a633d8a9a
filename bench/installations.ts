import { join } from "node:path";
import type { Installations } from "./figures.ts";
import { installedPackages } from "./installed-packages.ts";
import { loomInstallation } from "./loom.ts";

const PEERS = join(import.meta.dirname, "peers");

/** What each subject puts on the disk; for Loom the bundle and the packages it still needs when it runs. */
export function readInstallations(subjects: ReadonlySet<string>, bundle?: string): Installations {
  return {
    loom: subjects.has("loom") ? loomInstallation(bundle) : undefined,
    codex: subjects.has("codex") ? installedPackages(PEERS, ["node_modules/@openai/codex"]) : undefined,
    pi: subjects.has("pi") ? installedPackages(PEERS, ["node_modules/@earendil-works/pi-coding-agent"]) : undefined,
    opencode: subjects.has("opencode") ? installedPackages(PEERS, ["node_modules/opencode-ai"]) : undefined,
  };
}
