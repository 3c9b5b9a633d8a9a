import { dirname, join } from "node:path";
import type { AgentState, Message, RecordedRun } from "@loom/core";
import { ConversationFold, isAtRest } from "./conversation-fold.ts";
import { OutputStore } from "./output-store.ts";
import type { CommitRecord, ThreadHeader, UsageTotals } from "./record.ts";
import { addToFacts, factsOf, type ThreadFacts } from "./thread-facts.ts";
import { damaged, readThreadFile } from "./thread-reader.ts";

/** A whole thread as its file tells it. */
export type LoadedThread = {
  readonly file: string;
  readonly header: ThreadHeader;
  readonly facts: ThreadFacts;
  /** A valid conversation to go on with: what was open when the last run ended is answered as interrupted. */
  readonly messages: readonly Message[];
  /** The machine as the last run left it; `undefined` before the first run. */
  readonly lastState: AgentState | undefined;
  /** The last run was cut off in the middle of a turn. */
  readonly interrupted: boolean;
  readonly totals: UsageTotals;
  readonly commits: readonly CommitRecord[];
  /** Every run, to be replayed and compared. */
  readonly runs: readonly LoadedRun[];
  readonly goodBytes: number;
  readonly torn: boolean;
};

/** A run with the line of the file that each of its entries stands in. */
export type LoadedRun = RecordedRun & { readonly lines: readonly number[] };

type RunUnderway = LoadedRun & { readonly entries: RecordedRun["entries"][number][]; readonly lines: number[] };

/** Where the long outputs of the threads in a directory are. */
export function outputsBeside(file: string): OutputStore {
  return new OutputStore(join(dirname(file), "outputs"));
}

/**
 * The thread of a file, by running all of its events through the machine again.
 * @throws ThreadError `thread_not_found`, `thread_damaged`, `thread_too_new`.
 */
export function loadThread(file: string): LoadedThread {
  const { header, records, goodBytes, torn } = readThreadFile(file, outputsBeside(file));
  const fold = new ConversationFold();
  let facts = factsOf(header);
  const commits: CommitRecord[] = [];
  const runs: RunUnderway[] = [];
  for (const { line, record } of records) {
    let problem: string | undefined;
    try {
      problem = fold.apply(record);
      facts = addToFacts(facts, record);
    } catch (error) {
      throw damaged(file, line, "holds an event that means nothing", error);
    }
    if (problem !== undefined) throw damaged(file, line, problem);
    if (record.type === "commit") commits.push(record);
    if (record.type === "run" && fold.run !== undefined) {
      const { messages } = fold.run.state.context;
      runs.push({ settings: record.settings, start: { messages, seed: record.seed }, entries: [], lines: [] });
    }
    if (record.type === "event") {
      const { event, trace } = record;
      runs.at(-1)?.entries.push(trace === undefined ? { event } : { event, trace });
      runs.at(-1)?.lines.push(line);
    }
  }
  const lastState = fold.run?.state;
  return {
    file,
    header,
    facts,
    messages: fold.messagesAtRest(),
    lastState,
    interrupted: lastState !== undefined && !isAtRest(lastState),
    totals: facts.totals,
    commits,
    runs,
    goodBytes,
    torn,
  };
}
