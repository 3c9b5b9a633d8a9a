import { closeSync, readFileSync } from "node:fs";
import type { Ignore } from "ignore";
import type { Confinement } from "./confinement.ts";

/** Never walked into, whatever the ignore files say. */
const EXCLUDED_NAMES: ReadonlySet<string> = new Set([".git", "node_modules"]);

export const IGNORE_FILES: ReadonlySet<string> = new Set([".gitignore", ".ignore"]);

const MAX_IGNORE_FILE_BYTES = 1_048_576;

/** Rules of one file, for paths below `base` (`""` or ending in `/`). */
type Matcher = {
  readonly base: string;
  readonly rules: Ignore;
  /** The same with one more rule at the end. */
  readonly with: (rule: string) => Matcher;
};

type Chains = { readonly inherited: boolean; readonly git: readonly Matcher[]; readonly own: readonly Matcher[] };

/**
 * The ignore files that hold in one directory: those of the directory itself and of all above it, up to the workspace.
 * As in ripgrep, `.ignore` wins over `.gitignore`, then the deeper file over the shallower one. Files above the
 * workspace are not read.
 */
export class IgnoreRules {
  /** Whether rules from above the directory that was asked for apply to it. */
  readonly inherited: boolean;
  readonly #confinement: Confinement;
  readonly #git: readonly Matcher[];
  readonly #own: readonly Matcher[];

  private constructor(confinement: Confinement, { inherited, git, own }: Chains) {
    this.inherited = inherited;
    this.#confinement = confinement;
    this.#git = git;
    this.#own = own;
  }

  /**
   * The rules in `directory`, whose path holds no symlink. What somebody asks for by name is shown even if it is
   * ignored itself: then only the rules that it holds itself apply.
   */
  static async in(directory: string, confinement: Confinement): Promise<IgnoreRules> {
    const exclude = await matcher(confinement, ".git/info/exclude", "");
    const git = exclude === undefined ? [] : [exclude];
    let rules = await new IgnoreRules(confinement, { inherited: true, git, own: [] }).enter(".");
    const parts = directory === "." ? [] : directory.split("/");
    for (let depth = 1; depth <= parts.length; depth += 1) {
      const path = parts.slice(0, depth).join("/");
      if (rules.ignores(path, { directory: true })) {
        return new IgnoreRules(confinement, { inherited: false, git: [], own: [] }).enter(directory);
      }
      rules = await rules.enter(path);
    }
    return rules;
  }

  /** The rules one directory further down; the directory itself is not ignored. `holdsRules`: it has ignore files. */
  async enter(directory: string, { holdsRules = true }: { holdsRules?: boolean } = {}): Promise<IgnoreRules> {
    const rules = this.#reopened(directory);
    return holdsRules ? rules.#withFilesOf(directory) : rules;
  }

  /**
   * A deeper file may take back what a shallower one says of a directory. A set of rules does not know of the other
   * sets, and would go on to ignore everything below; so it is told.
   */
  #reopened(directory: string): IgnoreRules {
    const reopen = (each: Matcher): Matcher => {
      const path = directory.slice(each.base.length);
      if (directory === "." || !each.rules.test(`${path}/`).ignored) return each;
      return each.with(`!/${path.replace(/[\\*?[\]! #]/g, "\\$&")}/`);
    };
    return new IgnoreRules(this.#confinement, {
      inherited: this.inherited,
      git: this.#git.map(reopen),
      own: this.#own.map(reopen),
    });
  }

  async #withFilesOf(directory: string): Promise<IgnoreRules> {
    const prefix = directory === "." ? "" : `${directory}/`;
    const git = await matcher(this.#confinement, `${prefix}.gitignore`, prefix);
    const own = await matcher(this.#confinement, `${prefix}.ignore`, prefix);
    if (git === undefined && own === undefined) return this;
    return new IgnoreRules(this.#confinement, {
      inherited: this.inherited,
      git: git === undefined ? this.#git : [...this.#git, git],
      own: own === undefined ? this.#own : [...this.#own, own],
    });
  }

  ignores(path: string, { directory }: { directory: boolean }): boolean {
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (EXCLUDED_NAMES.has(name)) return true;
    const tested = directory ? `${path}/` : path;
    return verdict(this.#own, tested) ?? verdict(this.#git, tested) ?? false;
  }
}

function verdict(matchers: readonly Matcher[], path: string): boolean | undefined {
  for (const { base, rules } of matchers.toReversed()) {
    const { ignored, unignored } = rules.test(path.slice(base.length));
    if (ignored) return true;
    if (unignored) return false;
  }
  return undefined;
}

async function matcher(confinement: Confinement, file: string, base: string): Promise<Matcher | undefined> {
  const text = readSmallFile(confinement, file);
  if (text === undefined) return undefined;
  const { default: ignore } = await import("ignore");
  const parse = (rules: string): Matcher => ({
    base,
    rules: ignore({ ignorecase: false }).add(rules),
    with: (rule) => parse(`${rules}\n${rule}`),
  });
  return parse(text);
}

function readSmallFile(confinement: Confinement, path: string): string | undefined {
  try {
    // Git, too, does not follow a symlink here.
    using place = confinement.locate(path, { symlinks: "refuse" });
    if (!place.stats?.isFile() || place.stats.size > MAX_IGNORE_FILE_BYTES) return undefined;
    const fd = place.open();
    try {
      return readFileSync(fd, "utf8");
    } finally {
      closeSync(fd);
    }
  } catch {
    // Absent, unreadable, or not what it seems: no rules.
    return undefined;
  }
}
