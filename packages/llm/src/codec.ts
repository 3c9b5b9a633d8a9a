import type { JsonObject, LlmEvent, LlmFailure, LlmRequest, LlmResponse, Usage } from "@loom/core";
import type { ClientTools } from "./openai-responses/tool-name.ts";
import type { ToolNames } from "./tool-names.ts";

/**
 * From a provider's bytes to events, incrementally: any split of the bytes gives the same events, but that neighbouring
 * texts of one `push` may come as one delta. The last event is one `completed` or one `error`; whatever comes after it is
 * ignored. Never throws.
 */
export type LlmStreamDecoder = {
  push(bytes: Uint8Array): LlmEvent[];
  /** The connection ended. Gives the terminal event if there was none yet. */
  end(): LlmEvent[];
};

/** Of a provider's stream, what is known before its last event. */
export type ProviderStreamDecoder = LlmStreamDecoder & {
  /** What the provider has counted so far; all zeros where it has not. */
  readonly usage: Usage;
  /** The model that answers, as the provider names it; empty where it has not. */
  readonly model: string;
  /** Whether the provider said why it stopped. Then nothing is missing but counts and marks, and `end` completes the answer. */
  readonly finished: boolean;
  /**
   * Whether `usage` is that of the whole answer: counted with the reason to stop or behind it, and the model wrote nothing
   * behind that, nor anything where no output was counted. There are servers that give a reason with every event.
   */
  readonly counted: boolean;
};

/** The other direction: from events to a dialect's bytes as text, incrementally. */
export type LlmStreamEncoder = {
  push(events: readonly LlmEvent[]): string;
};

/**
 * How an answer is named towards a foreign client. A codec has neither clock nor chance: what is left out is derived
 * from the answer itself, so that the same answer gets the same id.
 */
export type AnswerIdentity = {
  /** Without the dialect's prefix (`msg_`, `chatcmpl-`). */
  readonly id?: string;
  /** The model, until the answer itself names it. */
  readonly model?: string;
  readonly createdMs?: number;
  /** The dialect that the answer came in: whose its thoughts are, where they do not say so. */
  readonly origin?: string;
  /** Whether a stream ends with its token counts, where the dialect leaves that to the client (`wantsUsage`). Default yes. */
  readonly wantsUsage?: boolean;
  /** The `clientTools` of the request. */
  readonly clientTools?: ClientTools;
  /**
   * Hears of each item that the client gets under an id of ours, by which it may refer to it later (Responses), before
   * the client does. Of one that turns out to be more it hears again.
   */
  readonly issued?: (id: string, item: JsonObject) => void;
};

/** What came instead of an answer: status line, headers in lower case, and as much of the body as was read. */
export type HttpFailure = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
};

export type DecodedResponse =
  | { readonly ok: true; readonly response: LlmResponse }
  | { readonly ok: false; readonly failure: LlmFailure };

/** What this dialect cannot say is refused in one sentence that names the field; nothing is dropped in silence. */
export type EncodedRequest =
  | {
      readonly ok: true;
      readonly body: JsonObject;
      /** What the provider does not hear of, without harm. Absent: nothing. */
      readonly leftOut?: readonly string[];
      /** Tools have other names there, and the answer calls them by these (`namingBack`). Absent: none has. */
      readonly toolNames?: ToolNames;
    }
  | { readonly ok: false; readonly problem: string };

export type DecodedRequest =
  | {
      readonly ok: true;
      readonly request: LlmRequest;
      readonly stream: boolean;
      /** The client asked for a usage chunk at the end of its stream (Chat Completions); other dialects always have it. */
      readonly wantsUsage?: boolean;
      /** Members of the body, the way to them with dots, for which Loom has no word: they do not come along. Absent: none. */
      readonly leftOut?: readonly string[];
      /** Tools that only the client's dialect knows, which the answer has to call by what they are there. Absent: none. */
      readonly clientTools?: ClientTools;
    }
  /** One sentence: which field, what is wrong with it. */
  | { readonly ok: false; readonly problem: string };

/** One provider dialect, both ways. Pure: no I/O, no clock but the one passed in, no key. */
export type LlmCodec = {
  encodeRequest(request: LlmRequest, options: { readonly stream: boolean }): EncodedRequest;
  streamDecoder(): ProviderStreamDecoder;
  /** `body` is the text of a non-streaming answer with a 2xx status. */
  decodeResponse(body: string): DecodedResponse;
  /** `nowMs` is needed for a Retry-After that is a date (RFC 9110, 10.2.3). */
  failureFromHttp(failure: HttpFailure, nowMs: number): LlmFailure;
  /** For a foreign client that speaks this dialect: its request in Loom's words, and Loom's answer in its own. */
  decodeRequest(body: string): DecodedRequest;
  streamEncoder(identity?: AnswerIdentity): LlmStreamEncoder;
  encodeResponse(response: LlmResponse, identity?: AnswerIdentity): JsonObject;
  /**
   * Why an answer cannot be said in this dialect, to be asked before `encodeResponse`; streams end in it by themselves.
   * Absent: every answer can.
   */
  answerProblem?(response: LlmResponse): LlmFailure | undefined;
};
