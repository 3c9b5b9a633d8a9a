import type { ThreadRecord } from "../record.ts";

/**
 * What a part of a thread adds. `words`: what a person said of it (title, tags...). `quiet`: beside that, facts without
 * which nothing is missed. `talk`: something was said or done in it.
 */
export type ContinuationKind = "words" | "quiet" | "talk";

export function kindOf(record: ThreadRecord | "unknown"): ContinuationKind {
  if (record === "unknown") return "talk";
  switch (record.type) {
    case "title":
    case "metadata":
      return "words";
    case "run":
    case "git":
    case "usage":
      return "quiet";
    default:
      return "talk";
  }
}

const ORDER = ["words", "quiet", "talk"] as const;

export function widest(a: ContinuationKind, b: ContinuationKind): ContinuationKind {
  return ORDER[Math.max(ORDER.indexOf(a), ORDER.indexOf(b))] ?? "talk";
}

/**
 * What becomes of the records that this machine and the server have behind what they share: the server's come first, and
 * then ours, all of them or only the words; or, where both sides went on talking, ours become a thread of their own.
 */
export type MergePlan = { readonly type: "ours_follow"; readonly keep: "all" | "words" } | { readonly type: "fork" };

export function planMerge(ours: ContinuationKind, theirs: ContinuationKind): MergePlan {
  if (ours !== "talk") return { type: "ours_follow", keep: "words" };
  // A run in between would begin anew the one that ours may be in the middle of.
  return theirs === "words" ? { type: "ours_follow", keep: "all" } : { type: "fork" };
}
