import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

type Manifest = { readonly version?: string; readonly dependencies?: Readonly<Record<string, string>> };

/**
 * A folder with a manifest and a lockfile of its own, outside the workspaces: other people's programs, whose packages
 * never mix with Loom's.
 */
export type PackageFolder = {
  /** A file inside its `node_modules`. */
  file(...parts: readonly string[]): string;
  /** The version of a package that is installed, or `undefined`. */
  installedVersion(name: string): string | undefined;
  isInstalled(): boolean;
  /**
   * Installs what the manifest names, with everything as the lockfile has it and without install scripts, unless it is
   * there already. `false`: it could not, and npm has said why.
   */
  install(): boolean;
};

export function packageFolder(folder: string): PackageFolder {
  const file = (...parts: readonly string[]) => join(folder, "node_modules", ...parts);
  const installedVersion = (name: string) => readManifest(file(name, "package.json"))?.version;
  const isInstalled = () => {
    const wanted = Object.entries(readManifest(join(folder, "package.json"))?.dependencies ?? {});
    return wanted.every(([name, version]) => installedVersion(name) === version);
  };
  return {
    file,
    installedVersion,
    isInstalled,
    install() {
      if (isInstalled()) return true;
      // Not `npm ci`: that wants the programs of all platforms in the lockfile, and mirrors do not have them all.
      const args = ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"];
      return spawnSync("npm", args, { cwd: folder, stdio: "inherit" }).status === 0;
    },
  };
}

function readManifest(file: string): Manifest | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Manifest) : undefined;
}
