import {
  type AgentEvent,
  type AgentSettings,
  type AgentState,
  type AssistantContent,
  DEFAULT_LIMITS,
  NO_USAGE,
  startAgent,
  step,
  type ThreadId,
  type Usage,
} from "@loom/core";
import { isAtRest } from "../conversation-fold.ts";
import { THREAD_FORMAT, type ThreadRecord } from "../record.ts";
import { readClaudeCode } from "./claude-code.ts";
import { readCodex } from "./codex.ts";
import { readOpencode } from "./opencode.ts";
import { type ForeignEntry, type ForeignSession, SessionFileError } from "./session-file.ts";

const READERS = { "claude-code": readClaudeCode, codex: readCodex, opencode: readOpencode } as const;

export type ForeignFormat = keyof typeof READERS;

/**
 * A session file of another agent as the records of a new thread: its conversation, as if Loom had led it, so that it can
 * be gone on with. @throws SessionFileError that names the line
 */
export function importSession(
  format: ForeignFormat,
  text: string,
  { id, now, loomVersion }: { readonly id: ThreadId; readonly now: string; readonly loomVersion: string },
): ThreadRecord[] {
  const session = READERS[format](text, now);
  const [first] = session.entries;
  if (first === undefined) throw new SessionFileError(1, `begins no session of ${format}: there is no message in it`);
  const { workspace, title, git } = session;
  const { at } = first;
  return [
    { type: "thread", v: THREAD_FORMAT, id, createdAt: at, workspace, loomVersion },
    ...(git === undefined ? [] : [{ type: "git" as const, at, ...git }]),
    ...conversationOf(session),
    ...(title === undefined ? [] : [{ type: "title" as const, at: session.entries.at(-1)?.at ?? at, title }]),
  ];
}

/** Drives the machine with what was said, so that the records are ones that it can be driven with again. */
function conversationOf({ entries }: ForeignSession): ThreadRecord[] {
  const [first] = entries;
  const model = entries.find((entry) => entry.type === "assistant")?.model ?? "unknown";
  const settings: AgentSettings = {
    model,
    system: "",
    tools: [],
    maxTokens: 8_192,
    limits: { ...DEFAULT_LIMITS, maxTurns: null },
  };
  const seed = 1;
  const records: ThreadRecord[] = [{ type: "run", at: first?.at ?? "", settings, seed, messages: 0 }];
  let state: AgentState = startAgent({ messages: [], seed }).state;
  let at = first?.at ?? "";
  const push = (event: AgentEvent): void => {
    records.push({ type: "event", at, event });
    state = step(state, event, settings).state;
  };
  const openCalls = (): readonly string[] =>
    state.type === "executing_tools"
      ? state.executions.filter(({ status }) => status !== "completed").map(({ call }) => call.id)
      : [];
  const answer = ({ content, model: by, usage }: Answer): void => {
    const interrupted = {
      type: "error" as const,
      code: "interrupted" as const,
      message: "There is no result in the file.",
    };
    for (const callId of openCalls()) push({ type: "tool_completed", callId, outcome: interrupted });
    if (isAtRest(state))
      push({ type: "user_input", input: [{ type: "text", text: "[What was said here is not in the file.]" }] });
    const calls = content.some(({ type }) => type === "tool_use");
    push({
      type: "llm_event",
      requestId: state.context.requestId,
      event: {
        type: "completed",
        response: {
          message: { role: "assistant", content },
          stopReason: calls ? "tool_use" : "end_turn",
          usage,
          model: by,
        },
      },
    });
  };
  for (const entry of inAnswers(entries)) {
    at = entry.at;
    if (entry.type === "assistant") answer(entry);
    else if (entry.type === "user") {
      if (!isAtRest(state)) push({ type: "interrupt" });
      push({ type: "user_input", input: entry.content });
    } else if (openCalls().includes(entry.callId)) {
      const { callId, text, isError } = entry;
      push({
        type: "tool_completed",
        callId,
        outcome: isError
          ? { type: "error", code: "internal", message: text === "" ? "The tool failed." : text }
          : { type: "success", content: [{ type: "text", text }], changed: false },
      });
    }
  }
  if (!isAtRest(state)) push({ type: "interrupt" });
  return records;
}

type Answer = { readonly content: readonly AssistantContent[]; readonly model: string; readonly usage: Usage };
type Said =
  | Exclude<ForeignEntry, { type: "assistant" }>
  | (Answer & { readonly type: "assistant"; readonly at: string });

/** Agents write an answer down block by block: what follows each other is one answer. */
function* inAnswers(entries: readonly ForeignEntry[]): Generator<Said, void> {
  let open: (Answer & { readonly type: "assistant"; readonly at: string }) | undefined;
  for (const entry of entries) {
    if (entry.type === "assistant") {
      const { at, model, content, usage = NO_USAGE } = entry;
      open =
        open === undefined
          ? { type: "assistant", at, model, content, usage }
          : { ...open, usage, content: [...open.content, ...content] };
      continue;
    }
    if (open !== undefined && open.content.length > 0) yield open;
    open = undefined;
    yield entry;
  }
  if (open !== undefined && open.content.length > 0) yield open;
}
