import type { Message } from "@loom/core";
import { type Checkpoint, readCheckpoint, saveCheckpoint } from "./checkpoint.ts";
import { outputsBeside } from "./conversation.ts";
import { ConversationFold, isAtRest } from "./conversation-fold.ts";
import { systemCode, ThreadError } from "./errors.ts";
import type { ThreadHeader, UsageTotals } from "./record.ts";
import { restoreOutputs } from "./stored-outputs.ts";
import { addToFacts, factsOf, type ThreadFacts } from "./thread-facts.ts";
import { readLines, recordIn } from "./thread-lines.ts";
import { checkHeader, damaged } from "./thread-reader.ts";
import { asWindow, messagesToSkip } from "./window.ts";

/** A new checkpoint is due when the last one lies so many bytes back: what is read beyond it stays about that. */
export const CHECKPOINT_BYTES = 4 * 1024 * 1024;

/** What it takes to go on with a thread. */
export type ResumedThread = {
  readonly file: string;
  readonly header: ThreadHeader;
  readonly facts: ThreadFacts;
  /** A valid conversation to go on with; of a very long one, the end. */
  readonly messages: readonly Message[];
  /** Messages in front of them, to be written into the next `RunRecord`. */
  readonly skipped: number;
  /** The last run was cut off in the middle of a turn. */
  readonly interrupted: boolean;
  readonly totals: UsageTotals;
  readonly goodBytes: number;
};

/**
 * The end of a thread, from its last checkpoint on: what is read and held does not grow with the thread. Without a
 * checkpoint, or where it does not bear out what follows it, the whole file is read, once.
 * @throws ThreadError `thread_not_found`, `thread_damaged` (file and line), `thread_too_new`.
 */
export function resumeThread(file: string, id: string): ResumedThread {
  const checkpoint = readCheckpoint(file, id);
  const reading = (checkpoint && readOn(file, checkpoint)) ?? readOn(file, undefined);
  if (reading === undefined) throw damaged(file, 1, "is missing");
  const { fold, header, facts, position, rest } = reading;
  if (rest !== undefined && rest.position - (checkpoint?.position ?? 0) >= CHECKPOINT_BYTES) saveCheckpoint(file, rest);
  const held = fold.messagesAtRest();
  const skip = messagesToSkip(held);
  const skipped = fold.dropped + skip;
  const state = fold.run?.state;
  return {
    file,
    header,
    facts,
    messages: skipped > 0 ? asWindow(held.slice(skip)) : held,
    skipped,
    interrupted: state !== undefined && !isAtRest(state),
    totals: facts.totals,
    goodBytes: position,
  };
}

/** Sees to it that the thread has a checkpoint not far from its end. Never throws: it is a help, not a need. */
export function renewCheckpoint(file: string, id: string): void {
  try {
    const checkpoint = readCheckpoint(file, id);
    const rest = ((checkpoint && readOn(file, checkpoint)) ?? readOn(file, undefined))?.rest;
    if (rest !== undefined && rest.position > (checkpoint?.position ?? 0)) saveCheckpoint(file, rest);
  } catch {
    // Damage is told to whoever opens the thread.
  }
}

type Reading = {
  readonly fold: ConversationFold;
  readonly header: ThreadHeader;
  readonly facts: ThreadFacts;
  readonly position: number;
  /** The last moment at which nothing was open. */
  readonly rest: Checkpoint | undefined;
};

/** Reads the records after a checkpoint, or all; `undefined` where the checkpoint turns out not to fit them. */
function readOn(file: string, checkpoint: Checkpoint | undefined): Reading | undefined {
  const outputs = outputsBeside(file);
  const fold = new ConversationFold(checkpoint?.end);
  let { header, facts } = checkpoint ?? {};
  let position = checkpoint?.position ?? 0;
  let rest: Checkpoint | undefined;
  /** A line that is no record: damage, unless it turns out to be the last one, torn by a crash. */
  let broken: ThreadError | undefined;
  for (const { position: start, bytes } of linesOf(file, position)) {
    if (broken !== undefined) throw broken;
    const line = (facts?.version ?? 0) + 1;
    const record = recordIn(bytes);
    if (header === undefined || facts === undefined) {
      header = checkHeader(file, record);
      facts = factsOf(header);
    } else if (record === undefined) {
      broken = damaged(file, line, "is not a record of a thread");
      continue;
    } else {
      if (record !== "unknown" && record.type === "thread") throw damaged(file, line, "is a second header");
      const next = applied(fold, facts, record === "unknown" ? record : restoreOutputs(record, outputs));
      if (typeof next === "string") {
        if (checkpoint !== undefined) return undefined;
        throw damaged(file, line, next);
      }
      facts = next;
    }
    position = start + bytes.length + 1;
    const { run, dropped, droppedCalls } = fold;
    if (record !== "unknown" && record?.type === "event" && run?.state.type === "waiting_for_user_input") {
      rest = { position, header, facts, end: { run, dropped, droppedCalls } };
    }
  }
  if (header === undefined || facts === undefined) return undefined;
  return { fold, header, facts, position, rest };
}

/** The facts with the record, or the reason why it does not fit where it stands. */
function applied(
  fold: ConversationFold,
  facts: ThreadFacts,
  record: Parameters<typeof addToFacts>[1],
): ThreadFacts | string {
  try {
    const problem = record === "unknown" ? undefined : fold.apply(record);
    return problem ?? addToFacts(facts, record);
  } catch {
    return "holds an event that means nothing";
  }
}

function* linesOf(file: string, position: number): ReturnType<typeof readLines> {
  try {
    yield* readLines(file, position);
  } catch (error) {
    if (error instanceof ThreadError) throw error;
    if (systemCode(error) === "ENOENT") throw new ThreadError("thread_not_found", `There is no thread at ${file}.`);
    const why = error instanceof Error ? error.message : String(error);
    throw new ThreadError("thread_damaged", `The thread at ${file} cannot be read: ${why}.`, { cause: error });
  }
}
