import { randomBytes } from "node:crypto";
import type { Stats } from "node:fs";
import { constants, linkSync, lstatSync, renameSync, rmSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { systemErrorCode, ToolFailure, throwIfStopped } from "../failure.ts";
import type { Place } from "./confinement.ts";
import { displayPath } from "./display-path.ts";

/** What link(2) says where the file system has no hard links. */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EXDEV"]);

/**
 * Puts `content` in the place of a file in one step: a temporary file beside it, fsync, rename. A kill at any moment
 * leaves the old file or the new one, at worst with a `.loom-*.tmp` beside it. Mode and, where permitted, owner are
 * kept; hard links and extended attributes are not.
 */
export async function writeAtomically(place: Place, content: Uint8Array, signal: AbortSignal): Promise<void> {
  const temporary = place.sibling(`.loom-${randomBytes(8).toString("hex")}.tmp`);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);
  const handle = await open(temporary, flags, place.stats === undefined ? 0o666 : 0o600);
  try {
    try {
      await handle.writeFile(content);
      if (place.stats !== undefined) await keepOwnerAndMode(handle, place.stats);
      await handle.sync();
    } finally {
      await handle.close();
    }
    throwIfStopped(signal);
    if (place.stats === undefined) moveToNewName(place, temporary);
    else replace(place, place.stats, temporary);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

async function keepOwnerAndMode(handle: FileHandle, stats: Stats): Promise<void> {
  const fresh = await handle.stat();
  if (fresh.uid !== stats.uid || fresh.gid !== stats.gid) {
    // Only root may give a file away; for anybody else it becomes theirs, as with any editor.
    await handle.chown(stats.uid, stats.gid).catch(() => undefined);
  }
  await handle.chmod(stats.mode & 0o7777);
}

/** Never overwrites: a link fails where a rename would replace what somebody else has just made. */
function moveToNewName(place: Place, temporary: string): void {
  try {
    linkSync(temporary, place.sibling(place.name));
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "EEXIST") throw changedMeanwhile(place);
    if (code === undefined || !NO_LINKS.has(code)) throw error;
    if (lstatSync(place.sibling(place.name), { throwIfNoEntry: false }) !== undefined) throw changedMeanwhile(place);
    renameSync(temporary, place.sibling(place.name));
    return;
  }
  rmSync(temporary);
}

function replace(place: Place, before: Stats, temporary: string): void {
  const now = lstatSync(place.sibling(place.name), { throwIfNoEntry: false });
  const same =
    now !== undefined && now.ino === before.ino && now.mtimeMs === before.mtimeMs && now.size === before.size;
  if (!same) throw changedMeanwhile(place);
  renameSync(temporary, place.sibling(place.name));
}

export function changedMeanwhile(place: Pick<Place, "path">): ToolFailure {
  return new ToolFailure(
    "stale_file",
    `${displayPath(place.path)} was changed by somebody else in the meantime, so nothing was written. Read it again.`,
  );
}
