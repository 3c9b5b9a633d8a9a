import { isVisibility, type ThreadChange, VISIBILITIES } from "@loom/threads";
import type { Invocation } from "../command-line/specification.ts";
import { CliError, exitCodeOf } from "../exit-codes.ts";
import { loadSettings } from "../settings.ts";
import { openIndex, openThreadStore } from "../thread-access.ts";
import { tagsIn } from "../thread-filters.ts";

const MAX_TITLE_CHARACTERS = 200;
const MAX_TAGS = 50;

export function title(invocation: Invocation): Promise<number> {
  const text = (invocation.arguments[1] ?? "").trim();
  if (text === "" || Array.from(text).length > MAX_TITLE_CHARACTERS || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(text)) {
    throw new CliError("usage", `A title is one line of 1 to ${MAX_TITLE_CHARACTERS} characters.`);
  }
  return change(invocation, { title: text.toWellFormed() });
}

export function pin(invocation: Invocation): Promise<number> {
  return change(invocation, { pinned: !invocation.flags.has("--undo") });
}

export function keepPrivate(invocation: Invocation): Promise<number> {
  return change(invocation, { private: !invocation.flags.has("--undo") });
}

export function restore(invocation: Invocation): Promise<number> {
  return change(invocation, { deleted: false });
}

export function visibility(invocation: Invocation): Promise<number> {
  const level = invocation.arguments[1] ?? "";
  if (!isVisibility(level)) {
    throw new CliError("usage", `LEVEL must be one of ${VISIBILITIES.join(", ")}, not "${level}".`);
  }
  return change(invocation, { visibility: level });
}

/** Adds to the tags that are there, or takes away from them. */
export async function tag(invocation: Invocation): Promise<number> {
  const given = tagsIn(invocation.arguments[1] ?? "");
  const { directories } = await loadSettings(invocation);
  const store = openThreadStore(directories);
  const id = store.resolve(invocation.arguments[0] ?? "");
  const index = await openIndex(directories);
  const [thread] = index.list({ id });
  index.close();
  const before = thread?.tags ?? [];
  const tags = invocation.flags.has("--undo")
    ? before.filter((each) => !given.includes(each))
    : [...new Set([...before, ...given])];
  if (tags.length > MAX_TAGS) throw new CliError("usage", `A thread has at most ${MAX_TAGS} tags.`);
  await store.change(id, { tags });
  return exitCodeOf("ok");
}

async function change(invocation: Invocation, what: ThreadChange): Promise<number> {
  const { directories } = await loadSettings(invocation);
  const store = openThreadStore(directories);
  await store.change(store.resolve(invocation.arguments[0] ?? ""), what);
  return exitCodeOf("ok");
}
