import { createHash } from "node:crypto";
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { makePrivateDirectory } from "@loom/config/private-directory";
import type { AgentContext, AgentSettings, AgentState, Message } from "@loom/core";
import type { HeldEnd } from "./conversation-fold.ts";
import { anchorAt } from "./index/anchor.ts";
import type { ThreadHeader } from "./record.ts";
import type { ThreadFacts } from "./thread-facts.ts";
import { messagesToSkip } from "./window.ts";

/** Raised with every change of what a checkpoint holds: an older one is then passed over. */
const CHECKPOINT_VERSION = 1;

/** A thread at a moment of rest, so that going on with it does not mean to read it from its beginning. */
export type Checkpoint = {
  /** Bytes of the thread's file that it stands for. */
  readonly position: number;
  readonly header: ThreadHeader;
  readonly facts: ThreadFacts;
  readonly end: HeldEnd;
};

type Stored = {
  readonly v: typeof CHECKPOINT_VERSION;
  readonly position: number;
  /** Digest of the bytes in front of that position. */
  readonly anchor: string;
  readonly header: ThreadHeader;
  readonly facts: ThreadFacts;
  readonly settings: AgentSettings;
  readonly context: AgentContext;
  readonly dropped: number;
  readonly droppedCalls: readonly string[];
};

export function checkpointFileOf(file: string, id: string): string {
  return join(dirname(file), "derived", `${id}.checkpoint`);
}

/**
 * Keeps a checkpoint: of the conversation its end, as much as one goes on with. Derived, and no harm where it cannot
 * be written; not synced, because a reader checks it against its digest and against the thread's file.
 */
export function saveCheckpoint(file: string, { position, header, facts, end }: Checkpoint): void {
  const { settings, state } = end.run;
  const { messages } = state.context;
  const skip = messagesToSkip(messages);
  const stored: Stored = {
    v: CHECKPOINT_VERSION,
    position,
    anchor: anchorAt(file, position),
    header,
    facts,
    settings,
    context: { ...state.context, messages: messages.slice(skip) },
    dropped: end.dropped + skip,
    droppedCalls: [...end.droppedCalls, ...messages.slice(0, skip).flatMap(callIds)],
  };
  const text = JSON.stringify(stored);
  const target = checkpointFileOf(file, header.id);
  const temporary = `${target}.${process.pid}.new`;
  try {
    makePrivateDirectory(dirname(target));
    writeFileSync(temporary, `${digestOf(text)}\n${text}`, { mode: 0o600 });
    renameSync(temporary, target);
  } catch {
    rmSync(temporary, { force: true });
  }
}

/** The thread's checkpoint, if there is one that still holds for its file. */
export function readCheckpoint(file: string, id: string): Checkpoint | undefined {
  try {
    const content = readFileSync(checkpointFileOf(file, id), "utf8");
    const lineEnd = content.indexOf("\n");
    const text = content.slice(lineEnd + 1);
    if (digestOf(text) !== content.slice(0, lineEnd)) return undefined;
    const stored: Stored = JSON.parse(text);
    if (stored.v !== CHECKPOINT_VERSION || stored.header.id !== id) return undefined;
    if (stored.position > statSync(file).size || anchorAt(file, stored.position) !== stored.anchor) return undefined;
    const { position, header, facts, settings, context, dropped, droppedCalls } = stored;
    const state: AgentState = { type: "waiting_for_user_input", context };
    return { position, header, facts, end: { run: { settings, state }, dropped, droppedCalls } };
  } catch {
    return undefined;
  }
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function callIds({ content }: Message): string[] {
  return content.flatMap((block) => (block.type === "tool_use" ? [block.id] : []));
}
