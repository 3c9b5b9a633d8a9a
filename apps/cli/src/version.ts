import manifest from "../package.json" with { type: "json" };

/** What the build writes into the bundle; absent when Loom runs from source. */
type BuildFacts = { readonly gitSha: string; readonly builtAt: string };

declare const LOOM_BUILD: BuildFacts | undefined;

export type VersionFacts = {
  readonly version: string;
  readonly node: string;
  readonly platform: string;
  /** Absent when Loom runs from source. */
  readonly gitSha?: string;
  /** RFC 3339, UTC. */
  readonly builtAt?: string;
};

export function versionFacts(): VersionFacts {
  const build = typeof LOOM_BUILD === "undefined" ? {} : LOOM_BUILD;
  return {
    version: manifest.version,
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    ...build,
  };
}

/** `loom 1.2.3` */
export function versionLine(): string {
  return `loom ${manifest.version}`;
}
