import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../testing.ts";

/** A mount that only this command and its children see; needs rights that not every machine gives. */
const PRIVATE_MOUNT = ["--mount", "--map-root-user", "--user"];
const canMount = spawnSync("unshare", [...PRIVATE_MOUNT, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0;

/** Writes 1 MB over `old` and to a new name, and prints how it went and what is there then. */
const PROGRAM = `
  import { readdirSync, readFileSync } from "node:fs";
  import { LocalFiles } from ${JSON.stringify(join(import.meta.dirname, "local-files.ts"))};
  const signal = new AbortController().signal;
  const files = new LocalFiles(process.argv[1]);
  const { version } = await files.read("old", { startLine: 1, maxBytes: 10, signal });
  const write = (path, expected) =>
    files.write(path, Buffer.alloc(1_000_000), { expected, signal }).then(() => "written", (error) => error.message);
  const messages = [await write("old", version), await write("new", null)];
  console.log(JSON.stringify({ messages, names: readdirSync(process.argv[1]), old: readFileSync(process.argv[1] + "/old", "utf8") }));`;

function writeOn(mountOptions: string, remount: string): unknown {
  const directory = temporaryDirectory();
  const script = `mount -t tmpfs -o ${mountOptions} tmpfs "$1" && echo text > "$1/old" && ${remount} && exec "$2" --input-type=module -e "$3" "$1"`;
  const output = execFileSync(
    "unshare",
    [...PRIVATE_MOUNT, "sh", "-c", script, "sh", directory, process.execPath, PROGRAM],
    {
      encoding: "utf8",
    },
  );
  return JSON.parse(output);
}

test.skipIf(!canMount)("on a full disk the old file stays, nothing new is left behind, and the reason is named", () => {
  expect(writeOn("size=64k", "true")).toEqual({
    messages: ["Could not write old: the disk is full.", "Could not write new: the disk is full."],
    names: ["old"],
    old: "text\n",
  });
});

test.skipIf(!canMount)("on a read-only file system nothing is written, and the reason is named", () => {
  expect(writeOn("size=1m", 'mount -o remount,ro "$1"')).toEqual({
    messages: [
      "Could not write old: the file system is read-only.",
      "Could not write new: the file system is read-only.",
    ],
    names: ["old"],
    old: "text\n",
  });
});
