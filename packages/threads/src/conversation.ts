import { type AgentSettings, type AgentState, type Message, type RecordedRun, startAgent, step } from "@loom/core";
import type { CommitRecord, ThreadHeader, UsageTotals } from "./record.ts";
import { damaged, type NumberedRecord, readThreadFile } from "./thread-reader.ts";
import { addResponse, NO_TOTALS } from "./usage-totals.ts";

/** A thread as its file tells it. */
export type LoadedThread = {
  readonly file: string;
  readonly header: ThreadHeader;
  readonly title: string | undefined;
  /** A valid conversation to go on with: what was open when the last run ended is answered as interrupted. */
  readonly messages: readonly Message[];
  /** The machine as the last run left it; `undefined` before the first run. */
  readonly lastState: AgentState | undefined;
  /** The last run was cut off in the middle of a turn. */
  readonly interrupted: boolean;
  readonly totals: UsageTotals;
  readonly commits: readonly CommitRecord[];
  /** Every run, to be replayed and compared. */
  readonly runs: readonly RecordedRun[];
  readonly goodBytes: number;
  readonly torn: boolean;
};

type Replayed = {
  title: string | undefined;
  totals: UsageTotals;
  run: { readonly settings: AgentSettings; state: AgentState } | undefined;
  readonly commits: CommitRecord[];
  readonly runs: (RecordedRun & { readonly entries: RecordedRun["entries"][number][] })[];
};

/**
 * The thread of a file, by running its events through the machine again.
 * @throws ThreadError `thread_not_found`, `thread_damaged`, `thread_too_new`.
 */
export function loadThread(file: string): LoadedThread {
  const { header, records, goodBytes, torn } = readThreadFile(file);
  const replayed: Replayed = { title: undefined, totals: NO_TOTALS, run: undefined, commits: [], runs: [] };
  for (const { line, record } of records) {
    let problem: string | undefined;
    try {
      problem = apply(record, replayed);
    } catch (error) {
      throw damaged(file, line, "holds an event that means nothing", error);
    }
    if (problem !== undefined) throw damaged(file, line, problem);
  }
  const { run, title, totals, commits, runs } = replayed;
  return {
    file,
    header,
    title,
    messages: messagesAfter(replayed),
    lastState: run?.state,
    interrupted: run !== undefined && !isAtRest(run.state),
    totals,
    commits,
    runs,
    goodBytes,
    torn,
  };
}

/** Gives the reason why the record does not fit where it stands, if it does not. */
function apply(record: NumberedRecord["record"], so: Replayed): string | undefined {
  switch (record.type) {
    case "run": {
      const start = { messages: messagesAfter(so), seed: record.seed };
      const count = start.messages.length;
      if (count !== record.messages) {
        return `goes on from ${record.messages} messages where the file holds ${count}`;
      }
      so.run = { settings: record.settings, state: startAgent(start).state };
      so.runs.push({ settings: record.settings, start, entries: [] });
      return undefined;
    }
    case "event": {
      if (so.run === undefined) return "is an event outside of a run";
      const { event, trace } = record;
      so.run.state = step(so.run.state, event, so.run.settings).state;
      so.runs.at(-1)?.entries.push(trace === undefined ? { event } : { event, trace });
      if (event.type === "llm_event" && event.event.type === "completed") {
        so.totals = addResponse(so.totals, event.event.response);
      }
      return undefined;
    }
    case "usage":
      so.totals = record.totals;
      return undefined;
    case "title":
      so.title = record.title;
      return undefined;
    case "commit":
      so.commits.push(record);
  }
}

function messagesAfter({ run }: Replayed): readonly Message[] {
  return run === undefined ? [] : conversationAtRest(run.state, run.settings);
}

function isAtRest(state: AgentState): boolean {
  return state.type === "waiting_for_user_input" || state.type === "shutting_down";
}

/** The conversation a stopped machine leaves behind, by its own rules: those of a shutdown. */
function conversationAtRest(state: AgentState, settings: AgentSettings): readonly Message[] {
  return step(state, { type: "shutdown_requested" }, settings).state.context.messages;
}
