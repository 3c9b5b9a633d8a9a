import { join } from "node:path";
import { packageFolder } from "../scripts/package-folder.ts";

const peers = packageFolder(join(import.meta.dirname, "peers"));

/** A file inside the peers' `node_modules`. */
export const peerFile = peers.file;

/** The version of a peer that is installed, or `undefined`. */
export const installedVersion = peers.installedVersion;

/** Installs what the lockfile names, without install scripts, unless it is there already. */
export function installPeers(): void {
  if (peers.isInstalled()) return;
  console.log("Installing the peers (about 1 GB on disk) ...");
  if (!peers.install()) console.error("The peers could not be installed; measuring only those that are there.");
}
