import { parseArgs } from "node:util";
import type { SubjectName } from "./subject.ts";

export type Options = {
  /** Who is measured; everybody by default. */
  readonly only: readonly SubjectName[];
  /** Two rounds of everything: a look, not a measurement. */
  readonly quick: boolean;
  readonly writeDocs: boolean;
  /** Another build of Loom than the checkout's own. */
  readonly bundle: string | undefined;
  /** The codecs alone instead of whole agents. */
  readonly codecs: boolean;
  /** Threads alone: resuming, saving, searching. */
  readonly threads: boolean;
  /** Decisions of the policy alone. */
  readonly policy: boolean;
  /** Who asks alone: sessions and keys. */
  readonly sessions: boolean;
  /** The audit log alone. */
  readonly audit: boolean;
  /** The sync of threads alone. */
  readonly sync: boolean;
};

export const SUBJECT_NAMES: readonly SubjectName[] = ["loom", "codex", "pi", "opencode"];

export const HELP = `npm run bench -- [options]
  --only NAMES   measure only these, e.g. loom,pi (${SUBJECT_NAMES.join(", ")})
  --quick        two rounds of everything: a look, not a measurement
  --bundle FILE  another loom.mjs than dist/loom.mjs, e.g. one of an older commit
  --codecs       the stream codecs alone
  --threads      threads alone: to go on with long ones, to save, to search
  --policy       the server's decisions alone: who may do what
  --sessions     the check of a session or a key alone
  --audit        the audit log alone: an event, its share of a gateway request, lists and verify of a million rows
  --sync         the sync of threads alone: 1,000 of them to a server and down again
  --write-docs   put the tables into docs/benchmarks.md`;

/** Throws an `Error` with a sentence for the person on an unknown flag or name. */
export function readOptions(args: readonly string[]): Options | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      quick: { type: "boolean", default: false },
      bundle: { type: "string" },
      codecs: { type: "boolean", default: false },
      threads: { type: "boolean", default: false },
      policy: { type: "boolean", default: false },
      sessions: { type: "boolean", default: false },
      audit: { type: "boolean", default: false },
      sync: { type: "boolean", default: false },
      "write-docs": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const wanted = values.only?.split(",") ?? SUBJECT_NAMES;
  const unknown = wanted.find((name) => !SUBJECT_NAMES.includes(name as SubjectName));
  if (unknown !== undefined)
    throw new Error(`--only does not know "${unknown}": it takes ${SUBJECT_NAMES.join(", ")}.`);
  return {
    only: SUBJECT_NAMES.filter((name) => wanted.includes(name)),
    quick: values.quick,
    writeDocs: values["write-docs"],
    bundle: values.bundle,
    codecs: values.codecs,
    threads: values.threads,
    policy: values.policy,
    sessions: values.sessions,
    audit: values.audit,
    sync: values.sync,
  };
}
