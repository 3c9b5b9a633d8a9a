import { z } from "@hono/zod-openapi";
import type { JsonObject, MediaSource } from "@loom/core";

/** Whatever `JSON.parse` gives for `{...}`; what is inside is the provider's or the tool's matter. */
export const jsonObject = z
  .custom<JsonObject>((value) => typeof value === "object" && value !== null && !Array.isArray(value), {
    error: "must be an object",
  })
  .openapi({ type: "object", additionalProperties: true });

export const cacheMarker = z.enum(["5m", "1h"]);

const cache = cacheMarker.exactOptional();

const base64 = z.strictObject({ type: z.literal("base64"), mediaType: z.string(), data: z.string() });
const url = z.strictObject({ type: z.literal("url"), url: z.string(), mediaType: z.string().exactOptional() });
const file = z.strictObject({ type: z.literal("file"), fileId: z.string(), mediaType: z.string().exactOptional() });
const plain = z.strictObject({ type: z.literal("text"), text: z.string() });

const text = z
  .strictObject({ type: z.literal("text"), text: z.string(), signature: z.string().exactOptional(), cache })
  .openapi("TextBlock");

const thinking = z
  .strictObject({
    type: z.literal("thinking"),
    text: z.string(),
    signature: z.string().exactOptional(),
    redactedData: z.string().exactOptional(),
    dialect: z.string().exactOptional(),
  })
  .openapi("ThinkingBlock");

const image = z
  .strictObject({ type: z.literal("image"), mediaType: z.string(), data: z.string(), cache })
  .openapi("ImageBlock");

const remoteImage = z
  .strictObject({
    type: z.literal("remote_image"),
    source: z.discriminatedUnion("type", [url, file]) satisfies z.ZodType<MediaSource>,
    cache,
  })
  .openapi("RemoteImageBlock");

const document = z
  .strictObject({
    type: z.literal("document"),
    source: z.discriminatedUnion("type", [base64, url, file, plain]),
    title: z.string().exactOptional(),
    cache,
  })
  .openapi("DocumentBlock");

const opaque = z
  .strictObject({ type: z.literal("opaque"), dialect: z.string(), data: jsonObject })
  .openapi("OpaqueBlock", { description: "What only one provider's dialect knows; it goes back there as it came" });

const toolUse = z
  .strictObject({
    type: z.literal("tool_use"),
    id: z.string(),
    name: z.string(),
    input: jsonObject,
    malformedInput: z.string().exactOptional(),
    signature: z.string().exactOptional(),
    cache,
  })
  .openapi("ToolUseBlock");

const toolResult = z
  .strictObject({
    type: z.literal("tool_result"),
    toolCallId: z.string(),
    content: z.array(z.discriminatedUnion("type", [text, image, remoteImage, document])),
    isError: z.boolean(),
    cache,
  })
  .openapi("ToolResultBlock");

export const userMessage = z
  .strictObject({
    role: z.literal("user"),
    content: z.array(z.discriminatedUnion("type", [text, image, remoteImage, document, toolResult, opaque])),
  })
  .openapi("UserMessage");

export const assistantMessage = z
  .strictObject({
    role: z.literal("assistant"),
    content: z.array(z.discriminatedUnion("type", [text, thinking, toolUse, opaque])),
  })
  .openapi("AssistantMessage");
