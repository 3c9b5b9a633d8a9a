import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "./command.ts";

/** Where one agent lives while it is measured: a home of its own, kept between its runs as a person's home is. */
export type Place = {
  readonly home: string;
  /** A git repository with one commit. */
  readonly workspace: string;
  readonly temporary: string;
  /** Base address of the scripted model, without a path and without a final slash. */
  readonly modelUrl: string;
};

export type SubjectName = "loom" | "codex" | "pi" | "opencode";

/** An agent under measurement. */
export type Subject = {
  readonly name: SubjectName;
  readonly version: string;
  /** Writes the configuration that points the agent at the scripted model and forbids questions and the network. */
  prepare(place: Place): void;
  /** One headless run of the prompt. */
  turn(place: Place, prompt: string): Command;
  /** The same program with one flag, such as `--version`. */
  flag(place: Place, flag: string): Command;
};

/** The environment all subjects get, and no more: certificates, proxies and keys of the person who runs the bench stay out. */
export function environment(place: Place, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    PATH: `${dirname(process.execPath)}:${process.env.PATH ?? "/usr/local/bin:/usr/bin:/bin"}`,
    HOME: place.home,
    TMPDIR: place.temporary,
    LANG: "C.UTF-8",
    TERM: "dumb",
    ...more,
  };
}

/** Creates the directories of a place below `root`. */
export function createPlace(root: string, modelUrl: string): Place {
  const [home, workspace, temporary] = [join(root, "home"), join(root, "workspace"), join(root, "tmp")];
  for (const directory of [home, workspace, temporary]) mkdirSync(directory, { recursive: true });
  return { home, workspace, temporary, modelUrl };
}
