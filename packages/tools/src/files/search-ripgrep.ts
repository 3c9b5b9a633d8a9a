import { spawn } from "node:child_process";
import { accessSync, closeSync, constants, readSync } from "node:fs";
import { ToolFailure, throwIfStopped } from "../failure.ts";
import type { Confinement, Place } from "./confinement.ts";
import { IgnoreRules } from "./ignore-rules.ts";
import { matchText } from "./match-text.ts";
import type { SearchMatch, SearchQuery, SearchResult } from "./operations.ts";
import type { RipgrepMessage } from "./ripgrep-messages.ts";
import { RipgrepMessages } from "./ripgrep-messages.ts";

type Match = Extract<RipgrepMessage, { type: "match" }>;

const MAX_ERROR_BYTES = 2_000;
/** Matching lines held in memory until they are looked up in their file; each may have up to 1 MB. */
const MAX_HELD_MATCHES = 50;
const BYTE_ORDER_MARK_BYTES = 3;

/** Path of an executable ripgrep, or undefined. Resolved when it is first needed: it costs a look at the disk. */
export async function findRipgrep(): Promise<string | undefined> {
  try {
    const { rgPath } = await import("@vscode/ripgrep");
    accessSync(rgPath, constants.X_OK);
    return rgPath;
  } catch {
    // No binary for this platform, or unpacked without its mode.
    return undefined;
  }
}

/**
 * Searches below `place` with ripgrep. It runs outside our confinement and could be led astray by a symlink that
 * appears while it walks. So it only proposes: each line is read again through the confinement, and shown if it is there.
 * Undefined if ripgrep cannot be started.
 */
export async function searchRipgrep(
  ripgrep: string,
  place: Place,
  query: SearchQuery,
  confinement: Confinement,
): Promise<SearchResult | undefined> {
  const rules =
    place.stats?.isDirectory() && place.path !== "." ? await RulesBelow.of(place.path, confinement) : undefined;
  using root = confinement.locate(".");
  const child = spawn(ripgrep, argumentsFor(place, query, rules), {
    cwd: root.directory(),
    env: {},
    stdio: ["ignore", "pipe", "pipe"],
  });
  const unstartable = new Promise<undefined>((resolve) => child.once("error", () => resolve(undefined)));
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  const errors = collectErrors(child.stderr);
  const stop = () => child.kill("SIGKILL");
  query.signal.addEventListener("abort", stop, { once: true });
  try {
    const collected = await Promise.race([collect(child.stdout, query, confinement, rules), unstartable]);
    throwIfStopped(query.signal);
    if (collected === undefined || child.pid === undefined) return undefined;
    if (collected.truncated) return collected;
    const exitCode = await closed;
    throwIfStopped(query.signal);
    if (exitCode === 2 && collected.matches.length === 0 && errors.text() !== "") throw refusedBy(errors.text());
    return collected;
  } finally {
    query.signal.removeEventListener("abort", stop);
    stop();
  }
}

function argumentsFor(place: Place, query: SearchQuery, rules: RulesBelow | undefined): string[] {
  const flags = ["--json", "--no-config", "--hidden", "--no-messages", "--sort=path"];
  // The ignore rules of the workspace hold, in a git repository or not; those outside it do not.
  flags.push("--no-require-git", "--no-ignore-parent", "--no-ignore-global");
  // Rules of the workspace's top directory, so that what they name is not even searched.
  if (rules?.inherited === true) flags.push("--ignore-file=.gitignore", "--ignore-file=.ignore");
  if (query.glob !== undefined) flags.push(`--glob=${query.glob}`);
  flags.push("--glob=!.git", "--glob=!node_modules");
  if (!query.caseSensitive) flags.push("--ignore-case");
  return [...flags, `--regexp=${query.pattern}`, "--", place.path === "." ? "./" : `./${place.path}`];
}

async function collect(
  output: AsyncIterable<Buffer>,
  query: SearchQuery,
  confinement: Confinement,
  rules: RulesBelow | undefined,
): Promise<SearchResult> {
  const decoder = new RipgrepMessages();
  const matches: SearchMatch[] = [];
  let held: Match[] = [];
  let leftOut = false;
  const lookUp = async () => {
    const path = held[0]?.path.toString().replace(/^\.\//, "");
    if (path === undefined) return;
    const ignored = await rules?.ignores(path, { byGlob: query.glob !== undefined });
    if (ignored !== true) matches.push(...confirmed(path, held, confinement));
    held = [];
  };
  for await (const chunk of output) {
    for (const message of decoder.push(chunk)) {
      if (message.type === "match") held.push(message);
      leftOut ||= message.type === "too_long";
      if (message.type === "end" || held.length === MAX_HELD_MATCHES) await lookUp();
      // One more than wanted tells that there are more.
      if (matches.length > query.maxResults) {
        return { matches: matches.slice(0, query.maxResults), truncated: true, engine: "ripgrep" };
      }
    }
  }
  return { matches, truncated: leftOut, engine: "ripgrep" };
}

/** The matches that the workspace's own file holds at the same place. */
function confirmed(path: string, matches: readonly Match[], confinement: Confinement): SearchMatch[] {
  try {
    using place = confinement.locate(path, { symlinks: "refuse" });
    if (!place.stats?.isFile()) return [];
    const fd = place.open();
    try {
      return matches
        .filter(({ bytes, offset }) => holds(fd, bytes, offset) || holds(fd, bytes, offset + BYTE_ORDER_MARK_BYTES))
        .map(({ line, bytes, column }) => ({ path, line, text: matchText(bytes, column) }));
    } finally {
      closeSync(fd);
    }
  } catch {
    // Gone, or no longer what ripgrep saw.
    return [];
  }
}

/** Offsets of a file with a byte order mark count from after it. */
function holds(fd: number, bytes: Buffer, offset: number): boolean {
  const actual = Buffer.alloc(bytes.length);
  return readSync(fd, actual, 0, actual.length, offset) === bytes.length && actual.equals(bytes);
}

function collectErrors(stream: NodeJS.ReadableStream): { text(): string } {
  let text = "";
  stream.on("data", (chunk: Buffer) => {
    if (text.length < MAX_ERROR_BYTES) text += chunk.toString().slice(0, MAX_ERROR_BYTES);
  });
  return { text: () => text.trim() };
}

function refusedBy(message: string): ToolFailure {
  const hint = message.includes("multiline") ? " A search looks at one line at a time." : "";
  const text = message.replace(/^rg: /, "").replace(/\n\n[\s\S]*$/, "");
  return new ToolFailure("invalid_arguments", `The search was refused: ${text}.${hint}`);
}

/** What the rules above a directory say of the files below it; ripgrep itself reads only the rules from there on. */
class RulesBelow {
  readonly inherited: boolean;
  readonly #rules: Map<string, IgnoreRules | "ignored">;

  private constructor(start: string, rules: IgnoreRules) {
    this.inherited = rules.inherited;
    this.#rules = new Map([[start, rules]]);
  }

  static async of(start: string, confinement: Confinement): Promise<RulesBelow> {
    return new RulesBelow(start, await IgnoreRules.in(start, confinement));
  }

  async ignores(file: string, { byGlob }: { byGlob: boolean }): Promise<boolean> {
    const rules = await this.#in(file.slice(0, file.lastIndexOf("/")));
    return rules === "ignored" || (!byGlob && rules.ignores(file, { directory: false }));
  }

  async #in(directory: string): Promise<IgnoreRules | "ignored"> {
    const known = this.#rules.get(directory);
    if (known !== undefined) return known;
    const above = await this.#in(directory.slice(0, directory.lastIndexOf("/")));
    const ignored = above === "ignored" || above.ignores(directory, { directory: true });
    const rules = ignored ? "ignored" : await above.enter(directory);
    this.#rules.set(directory, rules);
    return rules;
  }
}
