import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { RUNNING, temporaryDirectory } from "../testing.ts";
import type { Place } from "./confinement.ts";
import { LinuxConfinement, supportsHeldDirectories } from "./linux-confinement.ts";
import { PortableConfinement } from "./portable-confinement.ts";
import { writeAtomically } from "./write-atomically.ts";

describe.each([
  ["held directories", LinuxConfinement, supportsHeldDirectories()] as const,
  ["paths", PortableConfinement, true] as const,
])("with %s, between finding a file and replacing it", (_, Confinement, supported) => {
  const supportedTest = test.skipIf(!supported);

  /** Finds `d/a.txt`, lets somebody act, then writes. */
  async function write(content: string | undefined, meanwhile: (root: string) => void): Promise<[string, string]> {
    const root = join(temporaryDirectory(), "workspace");
    mkdirSync(join(root, "d"), { recursive: true });
    if (content !== undefined) writeFileSync(join(root, "d/a.txt"), content);
    const confinement = new Confinement(root);
    using place: Place = confinement.locate("d/a.txt");
    meanwhile(root);
    const outcome = await writeAtomically(place, Buffer.from("mine"), RUNNING).then(
      () => "written",
      (error) => String(error.code),
    );
    confinement.close();
    return [root, outcome];
  }

  supportedTest("nothing happens: it is written", async () => {
    const [root, outcome] = await write("old", () => undefined);
    expect([outcome, readFileSync(join(root, "d/a.txt"), "utf8"), readdirSync(join(root, "d"))]).toEqual([
      "written",
      "mine",
      ["a.txt"],
    ]);
  });

  supportedTest("somebody writes it: theirs stays", async () => {
    const [root, outcome] = await write("old", (root) => writeFileSync(join(root, "d/a.txt"), "theirs"));
    expect([outcome, readFileSync(join(root, "d/a.txt"), "utf8"), readdirSync(join(root, "d"))]).toEqual([
      "stale_file",
      "theirs",
      ["a.txt"],
    ]);
  });

  supportedTest("somebody creates it: theirs stays", async () => {
    const [root, outcome] = await write(undefined, (root) => writeFileSync(join(root, "d/a.txt"), "theirs"));
    expect([outcome, readFileSync(join(root, "d/a.txt"), "utf8"), readdirSync(join(root, "d"))]).toEqual([
      "stale_file",
      "theirs",
      ["a.txt"],
    ]);
  });

  supportedTest("somebody removes it: it stays removed", async () => {
    const [root, outcome] = await write("old", (root) => rmSync(join(root, "d/a.txt")));
    expect([outcome, readdirSync(join(root, "d"))]).toEqual(["stale_file", []]);
  });

  supportedTest("somebody turns its directory into a symlink to the outside: nothing is written there", async () => {
    const [root] = await write("old", (root) => {
      mkdirSync(join(root, "../outside"));
      renameSync(join(root, "d"), join(root, "moved"));
      symlinkSync("../outside", join(root, "d"));
    });
    expect(readdirSync(join(root, "../outside"))).toEqual([]);
  });

  supportedTest("somebody turns the file into a symlink to the outside: what it leads to stays", async () => {
    const [root] = await write("old", (root) => {
      writeFileSync(join(root, "../secret.txt"), "secret");
      rmSync(join(root, "d/a.txt"));
      symlinkSync("../../secret.txt", join(root, "d/a.txt"));
    });
    expect(readFileSync(join(root, "../secret.txt"), "utf8")).toBe("secret");
  });
});
