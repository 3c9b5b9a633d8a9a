import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A folder of its own, outside the workspaces: the peers' packages never mix with Loom's. */
const PEERS = join(import.meta.dirname, "peers");

type Manifest = { readonly version?: string; readonly dependencies?: Readonly<Record<string, string>> };

/** A file inside the peers' `node_modules`. */
export function peerFile(...parts: readonly string[]): string {
  return join(PEERS, "node_modules", ...parts);
}

/** The version of a peer that is installed, or `undefined`. */
export function installedVersion(name: string): string | undefined {
  return readManifest(peerFile(name, "package.json"))?.version;
}

/** Installs exactly what the lockfile names, without install scripts, unless it is there already. */
export function installPeers(): void {
  const wanted = Object.entries(readManifest(join(PEERS, "package.json"))?.dependencies ?? {});
  if (wanted.every(([name, version]) => installedVersion(name) === version)) return;
  console.log("Installing the peers (about 1 GB on disk) ...");
  const npm = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: PEERS, stdio: "inherit" });
  if (npm.status !== 0) {
    console.error("The peers could not be installed; measuring only those that are there.");
  }
}

function readManifest(file: string): Manifest | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Manifest) : undefined;
}
