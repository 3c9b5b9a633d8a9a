import type { JsonObject, StopReason, Usage } from "@loom/core";
import type { Fault } from "./fault.ts";
import type { NormalizedRequest } from "./normalized-request.ts";

/** `rawArguments` goes out as it stands, so that it may be cut short or no JSON at all; it wins over `input`. */
export type ScriptedToolCall = {
  readonly id?: string;
  readonly name: string;
  readonly input?: JsonObject;
  readonly rawArguments?: string;
};

/** `redactedData` makes it a block without readable text. */
export type ScriptedThinking = { readonly text?: string; readonly signature?: string; readonly redactedData?: string };

/** How the bytes of an answer travel. None of it changes what the answer says. */
export type Delivery = {
  /** Pieces the text is cut into; by default one for every 24 characters. */
  readonly deltas?: number;
  /** Pause between writes, in milliseconds. */
  readonly gapMs?: number;
  /** Events in one write; by default 1, or 100 where there are more than 200 events. */
  readonly eventsPerWrite?: number;
  /** Bytes in one write, wherever that cuts events and characters; wins over `eventsPerWrite`. */
  readonly bytesPerWrite?: number;
  readonly lineEnd?: "\n" | "\r\n";
  /** Comments, pings, unknown events and fields, padding, `id:` and `retry:` lines in between. */
  readonly noise?: boolean;
  /** Fragments of several tool calls take turns, where the dialect allows it. */
  readonly interleave?: boolean;
};

/** What the model does with one request. */
export type Reply = {
  readonly thinking?: string | ScriptedThinking;
  readonly text?: string;
  readonly toolCalls?: readonly ScriptedToolCall[];
  /** By default `tool_use` with tool calls and `end_turn` without; `unknown` sends a word no client can know. */
  readonly stopReason?: StopReason;
  /** What is not given is estimated from the number of characters. */
  readonly usage?: Partial<Usage>;
  readonly delivery?: Delivery;
  readonly fault?: Fault;
};

/** Decides from the conversation. `index` counts the requests the script was asked about, from 0. */
export type ScriptFunction = (request: NormalizedRequest, index: number) => Reply | Promise<Reply>;

/** A policy, or replies in order; a request past the end of a list is refused with 400. */
export type Script = ScriptFunction | readonly (Reply | ScriptFunction)[];

/** A plain answer. */
export function say(text: string, options: Omit<Reply, "text"> = {}): Reply {
  return { text, ...options };
}

/** A request for one tool. */
export function callTool(name: string, input: JsonObject, options: Omit<Reply, "toolCalls"> = {}): Reply {
  return { toolCalls: [{ name, input }], ...options };
}

/** A request for several tools at once. */
export function callTools(calls: readonly ScriptedToolCall[], options: Omit<Reply, "toolCalls"> = {}): Reply {
  return { toolCalls: calls, ...options };
}

/** A tool call whose arguments are this text, valid or not. */
export function callToolWithText(name: string, rawArguments: string, options: Omit<Reply, "toolCalls"> = {}): Reply {
  return { toolCalls: [{ name, rawArguments }], ...options };
}

/** No answer but this fault. */
export function fail(fault: Fault, options: Omit<Reply, "fault"> = {}): Reply {
  return { text: "This façade of an answer does not arrive whole.", ...options, fault };
}
