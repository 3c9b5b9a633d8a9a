import { MAX_RECORD_BYTES } from "@loom/api";
import {
  addToFacts,
  decodeRecord,
  factsOf,
  THREAD_FORMAT,
  type ThreadFacts,
  type ThreadRecord,
} from "@loom/threads/records";
import { ProblemError, wrongFields } from "../../kit/problem-reply.ts";
import { messageOf } from "./messages.ts";

/** A record as it came, and what it says. `"unknown"`: of a kind that a later version may have added. */
export type IncomingRecord = { readonly text: string; readonly record: ThreadRecord | "unknown" };

type LaterRecord = Parameters<typeof addToFacts>[1];

const UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/;

/**
 * Reads records that somebody has sent. The first one has to be the header of the thread `header` where that is given;
 * no other may be one. @throws ProblemError that names the record.
 */
export function readRecords(texts: readonly string[], header?: string): IncomingRecord[] {
  return texts.map((text, index) => {
    const problem = textProblem(text);
    if (problem !== undefined) throw wrongRecord(index, problem);
    const record = decodeRecord(text);
    if (record === undefined) throw wrongRecord(index, "is no record of a thread");
    if (record !== "unknown" && record.type === "thread") {
      const wrong = header === undefined || index > 0 ? "is a second header" : headerProblem(record, header);
      if (wrong !== undefined) throw wrongRecord(index, wrong);
    } else if (index === 0 && header !== undefined) throw wrongRecord(index, "must be the header of the thread");
    else if (record !== "unknown" && !isTime(record.at)) throw wrongRecord(index, "has no time in UTC as its `at`");
    return { text, record };
  });
}

function textProblem(text: string): string | undefined {
  if (text.includes("\n")) return "holds a newline: a record is one line";
  // Such text has no bytes to keep.
  if (!text.isWellFormed()) return "is no well-formed Unicode";
  return Buffer.byteLength(text) > MAX_RECORD_BYTES ? `is larger than ${MAX_RECORD_BYTES} bytes` : undefined;
}

function headerProblem(record: Extract<ThreadRecord, { type: "thread" }>, id: string): string | undefined {
  if (record.id !== id) return "is the header of another thread";
  if (record.v > THREAD_FORMAT) {
    return `is of format ${record.v}, and this server reads up to ${THREAD_FORMAT}: update the server`;
  }
  if (!isTime(record.createdAt)) return "has no time in UTC as its `createdAt`";
  return typeof record.loomVersion === "string" ? undefined : "has no `loomVersion`";
}

function isTime(value: unknown): boolean {
  return typeof value === "string" && UTC.test(value);
}

/** The facts of a thread with these records behind it; of commits, those that are new. @throws ProblemError */
export function foldRecords(before: ThreadFacts | undefined, records: readonly IncomingRecord[]): ThreadFacts {
  let facts = before;
  for (const [index, { record, text }] of records.entries()) {
    try {
      facts = facts === undefined ? headerFacts(record) : addToFacts(facts, record as LaterRecord);
      if (!isSound(messageOf(record, text))) throw wrongRecord(index, "holds a message that makes no sense");
    } catch (error) {
      if (error instanceof ProblemError) throw error;
      throw wrongRecord(index, "is damaged");
    }
  }
  if (facts === undefined) throw wrongRecord(0, "must be the header of the thread");
  // Most records are parts of an answer, and say nothing of the thread: what was sound before still is.
  if (before !== undefined && CHECKED.every((name) => before[name] === facts[name])) return facts;
  const wrong = unsoundFact(facts);
  if (wrong !== undefined) {
    throw wrongFields([{ field: "records", message: `say of the thread's ${wrong} what makes no sense` }]);
  }
  return withBounds(facts);
}

/** Whether it can be shown: its blocks are blocks, its texts are texts. */
function isSound(message: ReturnType<typeof messageOf>): boolean {
  if (message === undefined) return true;
  switch (message.role) {
    case "user":
      return message.content.every(isBlock);
    case "assistant":
      return typeof message.model === "string" && message.content.every(isBlock);
    case "tool":
      return typeof message.callId === "string" && typeof message.text === "string";
    default:
      return typeof message.sha === "string" && typeof message.message === "string";
  }
}

function isBlock(block: unknown): boolean {
  if (typeof block !== "object" || block === null || !("type" in block) || typeof block.type !== "string") return false;
  const isNamed = block.type !== "tool_use" || ("name" in block && typeof block.name === "string" && "input" in block);
  return isNamed && (block.type !== "text" || ("text" in block && typeof block.text === "string"));
}

function headerFacts(record: ThreadRecord | "unknown"): ThreadFacts {
  if (record === "unknown" || record.type !== "thread") throw wrongRecord(0, "must be the header of the thread");
  return factsOf(record);
}

/** Clients are trusted to know what a thread is, and not to be honest about it: what is listed has to be what it seems. */
function unsoundFact(facts: ThreadFacts): string | undefined {
  const { title, tags, pinned, visibility, models, totals, git, commits, forkedFrom } = facts;
  if (typeof title !== "string") return "title";
  if (!areStrings(tags)) return "tags";
  if (typeof pinned !== "boolean" || typeof facts.private !== "boolean") return "flags";
  if (!["private", "team", "organization", "public"].includes(visibility)) return "visibility";
  if (!areStrings(models)) return "models";
  if (!Object.values(git).every((value) => typeof value === "string" || typeof value === "boolean"))
    return "repository";
  if (!commits.every(({ sha }) => /^[0-9a-f]{7,64}$/.test(sha))) return "commits";
  const { usage, ...counts } = totals;
  if (![...Object.values(usage), ...Object.values(counts)].every(Number.isFinite)) return "usage";
  if (forkedFrom !== undefined && (typeof forkedFrom.id !== "string" || !Number.isInteger(forkedFrom.version))) {
    return "origin";
  }
  return undefined;
}

/** What is looked at, and what has a bound. The others come with the header, or are counted here. */
const CHECKED = [
  "title",
  "tags",
  "pinned",
  "private",
  "visibility",
  "models",
  "git",
  "commits",
  "totals",
] as const satisfies readonly (keyof ThreadFacts)[];

function areStrings(values: readonly unknown[]): boolean {
  return values.every((value) => typeof value === "string");
}

const MAX_TITLE = 1_000;
const MAX_LIST = 100;
const MAX_WORD = 200;
const MAX_PATH = 4_096;

function withBounds(facts: ThreadFacts): ThreadFacts {
  const cut = (text: string, most: number) => (text.length > most ? text.slice(0, most).toWellFormed() : text);
  const list = (texts: readonly string[]) => texts.slice(0, MAX_LIST).map((text) => cut(text, MAX_WORD));
  const git = Object.fromEntries(
    Object.entries(facts.git).map(([name, value]) => [name, typeof value === "string" ? cut(value, MAX_TITLE) : value]),
  );
  return {
    ...facts,
    title: cut(facts.title, MAX_TITLE),
    workspace: cut(facts.workspace, MAX_PATH),
    loomVersion: cut(facts.loomVersion, MAX_WORD),
    tags: list(facts.tags),
    models: list(facts.models),
    git,
  };
}

export function wrongRecord(index: number, message: string): ProblemError {
  return wrongFields([{ field: `records[${index}]`, message }]);
}
