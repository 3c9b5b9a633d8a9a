import { readdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makePrivateDirectory } from "@loom/config/private-directory";

const SUFFIX = ".txt";

/** Keeps a sentence until somebody has read it. `name`: said once more under the same name, it is still one. */
export function leaveNotice(directory: string, name: string, text: string): void {
  const place = noticesIn(directory);
  makePrivateDirectory(place);
  const file = join(place, `${name}${SUFFIX}`);
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** The sentences that nobody has read yet; they count as read now. */
export function takeNotices(directory: string): string[] {
  const place = noticesIn(directory);
  let names: string[];
  try {
    names = readdirSync(place).filter((name) => name.endsWith(SUFFIX));
  } catch {
    return [];
  }
  return names.sort().flatMap((name) => {
    const file = join(place, name);
    try {
      const text = readFileSync(file, "utf8");
      // Whoever removes it is the one who tells it.
      unlinkSync(file);
      return [text];
    } catch {
      return [];
    }
  });
}

function noticesIn(directory: string): string {
  return join(directory, "notices");
}
