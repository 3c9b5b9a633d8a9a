import type { ThreadId } from "@loom/core";
import type { ThreadHeader, ThreadRecord, UsageTotals, Visibility } from "./record.ts";
import { addResponse, NO_TOTALS } from "./usage-totals.ts";

/** What is known of a thread's repository: where it stood at first and where it stands now. */
export type ThreadGit = {
  readonly branch?: string;
  readonly remote?: string;
  readonly firstCommit?: string;
  readonly commit?: string;
  readonly dirtyAtStart?: boolean;
  readonly dirty?: boolean;
};

/** A commit of the agent's work, with the first line of its message. */
export type ThreadCommit = { readonly sha: string; readonly at: string; readonly subject: string };

/** All that is known of a thread beside what was said in it. */
export type ThreadFacts = {
  readonly id: ThreadId;
  /** Number of records. The next record appended to the thread gets the next number, here and on a server. */
  readonly version: number;
  /** RFC 3339, UTC, as all times. */
  readonly createdAt: string;
  /** When something was last said or done in it. */
  readonly updatedAt: string;
  readonly workspace: string;
  readonly loomVersion: string;
  readonly forkedFrom?: { readonly id: ThreadId; readonly version: number };
  /** As a person or Loom named it; the beginning of what was first said else. "" before that. */
  readonly title: string;
  /** The title is another than the beginning of what was first said. */
  readonly named: boolean;
  readonly tags: readonly string[];
  readonly pinned: boolean;
  readonly visibility: Visibility;
  readonly private: boolean;
  /** When it was put into the trash. */
  readonly deletedAt?: string;
  /** Models that answered, as the providers name them, in the order of their first answer. */
  readonly models: readonly string[];
  /** Inputs of the person. */
  readonly turns: number;
  readonly totals: UsageTotals;
  readonly git: ThreadGit;
  /** The newest, at most `MAX_COMMITS`. */
  readonly commits: readonly ThreadCommit[];
};

/** Commits that are kept at hand; all of them are in the file. */
export const MAX_COMMITS = 1_000;
const MAX_TITLE_UNITS = 200;

/** The facts of a thread that has only its header yet. */
export function factsOf(header: ThreadHeader): ThreadFacts {
  const { id, createdAt, workspace, loomVersion, forkedFrom } = header;
  return {
    id,
    version: 1,
    createdAt,
    updatedAt: createdAt,
    workspace,
    loomVersion,
    ...(forkedFrom === undefined ? {} : { forkedFrom }),
    title: "",
    named: false,
    tags: [],
    pinned: false,
    visibility: "private",
    private: header.private ?? false,
    models: [],
    turns: 0,
    totals: NO_TOTALS,
    git: {},
    commits: [],
  };
}

/** The facts with one more record; one that this version does not know counts as a record all the same. */
export function addToFacts(facts: ThreadFacts, record: Exclude<ThreadRecord, ThreadHeader> | "unknown"): ThreadFacts {
  const next = { ...facts, version: facts.version + 1 };
  if (record === "unknown") return next;
  switch (record.type) {
    case "title":
      return { ...next, title: record.title, named: true };
    case "metadata": {
      const { tags, pinned, visibility, private: isPrivate, deleted } = record;
      const { deletedAt, ...rest } = next;
      const deletion = (deleted ?? deletedAt !== undefined) ? { deletedAt: deletedAt ?? record.at } : {};
      return {
        ...rest,
        ...deletion,
        tags: tags ?? next.tags,
        pinned: pinned ?? next.pinned,
        visibility: visibility ?? next.visibility,
        private: isPrivate ?? next.private,
      };
    }
    case "git":
      return { ...next, git: laterGit(next.git, record) };
    case "commit": {
      const subject = record.message.split("\n", 1)[0] ?? "";
      const commits = [...next.commits, { sha: record.sha, at: record.at, subject }].slice(-MAX_COMMITS);
      return { ...next, updatedAt: record.at, commits };
    }
    case "usage":
      return { ...next, totals: record.totals };
    case "event":
      return addEvent({ ...next, updatedAt: record.at }, record);
    default:
      return next;
  }
}

function laterGit(git: ThreadGit, record: Extract<ThreadRecord, { type: "git" }>): ThreadGit {
  const { branch, remote, commit, dirty } = record;
  const firstCommit = git.firstCommit ?? commit;
  const dirtyAtStart = git.dirtyAtStart ?? dirty;
  return {
    ...git,
    ...(branch === undefined ? {} : { branch }),
    ...(remote === undefined ? {} : { remote }),
    ...(firstCommit === undefined ? {} : { firstCommit }),
    ...(commit === undefined ? {} : { commit }),
    ...(dirtyAtStart === undefined ? {} : { dirtyAtStart }),
    ...(dirty === undefined ? {} : { dirty }),
  };
}

function addEvent(facts: ThreadFacts, { event }: Extract<ThreadRecord, { type: "event" }>): ThreadFacts {
  if (event.type === "user_input") {
    const said = facts.turns === 0 ? titleFrom(event.input) : undefined;
    const unnamed = said !== undefined && (facts.title === "" || facts.title === said) && { title: said, named: false };
    return { ...facts, ...unnamed, turns: facts.turns + 1 };
  }
  if (event.type !== "llm_event" || event.event.type !== "completed") return facts;
  const { response } = event.event;
  const models = facts.models.includes(response.model) ? facts.models : [...facts.models, response.model];
  return { ...facts, models, totals: addResponse(facts.totals, response) };
}

type Input = Extract<Extract<ThreadRecord, { type: "event" }>["event"], { type: "user_input" }>["input"];

/** The first line of what a person said, as a title. */
export function titleFrom(input: Input): string {
  const text = input.map((block) => (block.type === "text" ? block.text : "")).join(" ");
  return text.trim().split(/\r?\n/, 1).join("").slice(0, MAX_TITLE_UNITS).toWellFormed();
}

/** The facts as a text: what a snippet shows where a search finds them. */
export function factsText({ title, named, tags, git, commits }: ThreadFacts): string {
  const place = [git.remote, git.branch].filter((text) => text !== undefined);
  const made = commits.map(({ subject }) => subject);
  return [named ? title : "", tags.map((tag) => `#${tag}`).join(" "), ...place, ...made]
    .filter((text) => text !== "")
    .join("\n");
}
