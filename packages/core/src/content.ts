import type { JsonObject } from "./json.ts";

/** Plain text, as a person or a model wrote it. */
export type TextBlock = { readonly type: "text"; readonly text: string };

/**
 * What a model thought before it answered. `signature` is the provider's seal and has to go back unchanged with the
 * text; `redactedData` stands in for the text where the provider hands out only ciphertext.
 */
export type ThinkingBlock = {
  readonly type: "thinking";
  readonly text: string;
  readonly signature?: string;
  readonly redactedData?: string;
};

/** An image as base64, e.g. `{ mediaType: "image/png", data: "iVBOR..." }`. */
export type ImageBlock = { readonly type: "image"; readonly mediaType: string; readonly data: string };

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
};

/** The answer to the `tool_use` block whose id is `toolCallId`. */
export type ToolResultBlock = {
  readonly type: "tool_result";
  readonly toolCallId: string;
  readonly content: readonly ToolResultContent[];
  readonly isError: boolean;
};

export type ToolResultContent = TextBlock | ImageBlock;

export type UserContent = TextBlock | ImageBlock | ToolResultBlock;
export type AssistantContent = TextBlock | ThinkingBlock | ToolUseBlock;
export type ContentBlock = UserContent | AssistantContent;

export type UserMessage = { readonly role: "user"; readonly content: readonly UserContent[] };
export type AssistantMessage = { readonly role: "assistant"; readonly content: readonly AssistantContent[] };

/** One turn of one side. A valid conversation starts with the user and alternates. */
export type Message = UserMessage | AssistantMessage;
