import { isVisibility } from "@loom/threads";
import type { ThreadFilters } from "@loom/threads/thread-index";
import type { Invocation } from "./command-line/specification.ts";
import { pastTime } from "./command-line/time.ts";
import { CliError } from "./exit-codes.ts";
import { textOf } from "./settings.ts";

/** The filters of a command line. @throws CliError `usage`. */
export function filtersOf(invocation: Invocation): ThreadFilters & { readonly limit?: number } {
  const now = Date.now();
  const repository = textOf(invocation, "--repository");
  const model = textOf(invocation, "--model");
  const tag = textOf(invocation, "--tag");
  const visibility = textOf(invocation, "--visibility");
  const since = textOf(invocation, "--since");
  const until = textOf(invocation, "--until");
  const limit = textOf(invocation, "--limit");
  return {
    ...(repository === undefined ? {} : { repository }),
    ...(model === undefined ? {} : { model }),
    ...(tag === undefined ? {} : { tags: tagsIn(tag) }),
    ...(visibility !== undefined && isVisibility(visibility) ? { visibility } : {}),
    ...(invocation.flags.has("--pinned") ? { pinned: true } : {}),
    ...(invocation.flags.has("--deleted") ? { deleted: true } : {}),
    ...(since === undefined ? {} : { since: pastTime("--since", since, now) }),
    ...(until === undefined ? {} : { until: pastTime("--until", until, now) }),
    ...(limit === undefined ? {} : { limit: limitIn(limit) }),
  };
}

const MAX_TAG_CHARACTERS = 64;

/** Tags of a list with commas: without white space around them, each once. @throws CliError `usage`. */
export function tagsIn(list: string): readonly string[] {
  const tags = list
    .split(",")
    .map((tag) => tag.trim().normalize("NFC"))
    .filter((tag) => tag !== "");
  if (tags.length === 0) throw new CliError("usage", "There is no tag: separate tags by commas, as in bug,parser.");
  for (const tag of tags) {
    if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(tag) || tag.length > MAX_TAG_CHARACTERS) {
      throw new CliError(
        "usage",
        `A tag is at most ${MAX_TAG_CHARACTERS} visible characters; ${JSON.stringify(tag)} is not.`,
      );
    }
  }
  return [...new Set(tags)];
}

function limitIn(text: string): number {
  const limit = Number(text);
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > 100_000) {
    throw new CliError("usage", "--limit must be a whole number from 1 to 100000.");
  }
  return limit;
}
