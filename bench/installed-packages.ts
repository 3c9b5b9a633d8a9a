import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What an installation puts on the disk of this platform. */
export type Installed = {
  readonly names: readonly string[];
  /** Packages that want to run a script while they are installed. */
  readonly withInstallScript: readonly string[];
  readonly bytes: number;
};

type LockEntry = {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly hasInstallScript?: boolean;
  readonly link?: boolean;
  readonly resolved?: string;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
};

type Lockfile = { readonly packages: Readonly<Record<string, LockEntry>> };

/**
 * Follows the production dependencies of `roots` (paths in the lockfile of `folder`, such as `apps/cli` or
 * `node_modules/pi`) as npm would install them here: optional ones for other platforms left out, workspaces walked
 * through and not counted, because they are Loom itself.
 */
export function installedPackages(folder: string, roots: readonly string[]): Installed {
  const { packages } = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8")) as Lockfile;
  const seen = new Set<string>();
  const waiting = [...roots];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const entry = packages[path];
    if (seen.has(path) || entry === undefined || !fitsPlatform(entry)) continue;
    seen.add(path);
    if (entry.link === true && entry.resolved !== undefined) waiting.push(entry.resolved);
    for (const name of Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })) {
      waiting.push(resolve(packages, path, name));
    }
  }
  const paths = [...seen].filter((path) => path.includes("node_modules/") && packages[path]?.link !== true).sort();
  return {
    names: paths.map((path) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length)),
    withInstallScript: paths.filter((path) => packages[path]?.hasInstallScript === true),
    bytes: paths.reduce((sum, path) => sum + folderBytes(join(folder, path)), 0),
  };
}

/** Bytes of the files below a folder, packages nested in it left out; 0 where there is none. */
function folderBytes(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    if (entry.name === "node_modules") return sum;
    const path = join(folder, entry.name);
    return sum + (entry.isDirectory() ? folderBytes(path) : lstatSync(path).size);
  }, 0);
}

// Node's rule: the nearest `node_modules` on the way up.
function resolve(packages: Lockfile["packages"], from: string, name: string): string {
  for (let path = from; path !== ""; path = path.slice(0, Math.max(0, path.lastIndexOf("/")))) {
    const candidate = `${path}/node_modules/${name}`;
    if (candidate in packages) return candidate;
  }
  return `node_modules/${name}`;
}

function fitsPlatform({ os, cpu }: LockEntry): boolean {
  return (os?.includes(process.platform) ?? true) && (cpu?.includes(process.arch) ?? true);
}
