import type { JsonObject } from "./json.ts";

/**
 * A hint that everything up to here will be sent again, for so long. Dialects that cache by themselves have no word for
 * it and lose nothing.
 */
export type CacheMarker = "5m" | "1h";

/**
 * Plain text, as a person or a model wrote it. `signature` is a provider's seal on the part (Gemini) and goes back
 * unchanged. `instructs`: not the user's words, but those of whoever instructs the model, in the middle of a conversation.
 */
export type TextBlock = {
  readonly type: "text";
  readonly text: string;
  readonly instructs?: true;
  readonly signature?: string;
  readonly cache?: CacheMarker;
};

/**
 * What a model thought before it answered. `signature` is the provider's seal and has to go back unchanged with the
 * text; `redactedData` stands in for the text where the provider hands out only ciphertext.
 */
export type ThinkingBlock = {
  readonly type: "thinking";
  readonly text: string;
  readonly signature?: string;
  readonly redactedData?: string;
  /** Whose seal it is: a signature means nothing to another dialect, and none is sent one that it did not make. */
  readonly dialect?: string;
};

/** Bytes in the request itself (base64), an address that the provider fetches, or a file that it already has. */
export type MediaSource =
  | { readonly type: "base64"; readonly mediaType: string; readonly data: string }
  | { readonly type: "url"; readonly url: string; readonly mediaType?: string }
  | { readonly type: "file"; readonly fileId: string; readonly mediaType?: string };

/** An image as base64, e.g. `{ mediaType: "image/png", data: "iVBOR..." }`. */
export type ImageBlock = {
  readonly type: "image";
  readonly mediaType: string;
  readonly data: string;
  readonly cache?: CacheMarker;
};

/** An image that is not in the request. */
export type RemoteImageBlock = {
  readonly type: "remote_image";
  readonly source: Exclude<MediaSource, { readonly type: "base64" }>;
  readonly cache?: CacheMarker;
};

/** A PDF or a text to read, by whatever way. */
export type DocumentBlock = {
  readonly type: "document";
  readonly source: MediaSource | { readonly type: "text"; readonly text: string };
  readonly title?: string;
  readonly cache?: CacheMarker;
};

/**
 * Something only one dialect knows (a provider's own tool at work, a container, a compaction). It goes back to that
 * dialect as it came; another dialect refuses it with a sentence.
 */
export type OpaqueBlock = { readonly type: "opaque"; readonly dialect: string; readonly data: JsonObject };

/**
 * A model asks for one tool. `input` is always an object, so that the block can go back to any provider; where the
 * model's own text was not a JSON object, `input` is empty and `malformedInput` keeps that text.
 */
export type ToolUseBlock = {
  readonly type: "tool_use";
  readonly id: string;
  readonly name: string;
  readonly input: JsonObject;
  readonly malformedInput?: string;
  /** A provider's seal on the call (Gemini); goes back unchanged. */
  readonly signature?: string;
  readonly cache?: CacheMarker;
};

/** The answer to the `tool_use` block whose id is `toolCallId`. */
export type ToolResultBlock = {
  readonly type: "tool_result";
  readonly toolCallId: string;
  readonly content: readonly ToolResultContent[];
  readonly isError: boolean;
  readonly cache?: CacheMarker;
};

export type ToolResultContent = TextBlock | ImageBlock | RemoteImageBlock | DocumentBlock;

export type UserContent = TextBlock | ImageBlock | RemoteImageBlock | DocumentBlock | ToolResultBlock | OpaqueBlock;
export type AssistantContent = TextBlock | ThinkingBlock | ToolUseBlock | OpaqueBlock;
export type ContentBlock = UserContent | AssistantContent;

export type UserMessage = { readonly role: "user"; readonly content: readonly UserContent[] };
export type AssistantMessage = { readonly role: "assistant"; readonly content: readonly AssistantContent[] };

/** One turn of one side. A valid conversation starts with the user and alternates. */
export type Message = UserMessage | AssistantMessage;
