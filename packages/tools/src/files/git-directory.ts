import { ToolFailure } from "../failure.ts";
import { displayPath } from "./display-path.ts";

/**
 * Refuses a path that git keeps for itself: hooks and configuration there are programs that the next `git` runs, so
 * who may only edit files must not reach them. `path` as asked for, or as it is with symlinks resolved.
 */
export function requireOutsideGit(path: string): void {
  if (!path.split(/[/\\]/).some(isGit)) return;
  throw new ToolFailure(
    "invalid_arguments",
    `${displayPath(path)} belongs to git, whose own files are not edited by hand. Use git through bash.`,
  );
}

/** As file systems read it that know no upper case, skip invisible characters (HFS+), or have short names (NTFS). */
function isGit(name: string): boolean {
  const plain = name.replaceAll(/\p{Cf}/gu, "").toLowerCase();
  return plain === ".git" || plain === "git~1";
}
