import { z } from "@hono/zod-openapi";
import type { LlmRequest } from "@loom/core";
import { LLM_REQUEST_BOUNDS } from "../llm-request.ts";
import { assistantMessage, cacheMarker, jsonObject, userMessage } from "./llm-content.ts";

const toolDefinition = z
  .strictObject({
    name: z.string().min(1),
    description: z.string(),
    inputSchema: jsonObject,
    strict: z.boolean().exactOptional(),
    cache: cacheMarker.exactOptional(),
  })
  .openapi("ToolDefinition");

const providerTool = z
  .strictObject({ dialect: z.string(), definition: jsonObject })
  .openapi("ProviderTool", { description: "A tool that the provider runs itself, in the words of its own dialect" });

const toolChoice = z
  .discriminatedUnion("type", [
    z.strictObject({ type: z.literal("auto") }),
    z.strictObject({ type: z.literal("none") }),
    z.strictObject({ type: z.literal("required") }),
    z.strictObject({ type: z.literal("tool"), name: z.string().min(1) }),
  ])
  .openapi("ToolChoice");

const thinkingSetting = z
  .discriminatedUnion("type", [
    z.strictObject({ type: z.literal("off") }),
    z.strictObject({
      type: z.literal("on"),
      effort: z.enum(["minimal", "low", "medium", "high", "xhigh", "max"]).exactOptional(),
      budgetTokens: z.int().min(1).exactOptional(),
      visible: z.boolean().exactOptional(),
    }),
  ])
  .openapi("ThinkingSetting");

const outputFormat = z
  .discriminatedUnion("type", [
    z.strictObject({ type: z.literal("json") }),
    z.strictObject({
      type: z.literal("json_schema"),
      name: z.string().min(1),
      schema: jsonObject,
      strict: z.boolean().exactOptional(),
      description: z.string().exactOptional(),
    }),
  ])
  .openapi("OutputFormat");

export const llmRequest: z.ZodType<LlmRequest> = z
  .strictObject({
    model: z
      .string()
      .min(1)
      .max(LLM_REQUEST_BOUNDS.modelLength)
      .openapi({ description: "A model of the provider, or an alias: default, fast" }),
    system: z.string(),
    messages: z.array(z.discriminatedUnion("role", [userMessage, assistantMessage])).min(1),
    tools: z.array(toolDefinition),
    maxTokens: z.int().min(1),
    temperature: z.number().min(0).max(LLM_REQUEST_BOUNDS.temperature).exactOptional(),
    topP: z.number().min(0).max(1).exactOptional(),
    topK: z.int().min(1).exactOptional(),
    stopSequences: z.array(z.string()).exactOptional(),
    seed: z.int().exactOptional(),
    systemCache: cacheMarker.exactOptional(),
    toolChoice: toolChoice.exactOptional(),
    parallelToolCalls: z.boolean().exactOptional(),
    providerTools: z.array(providerTool).exactOptional(),
    thinking: thinkingSetting.exactOptional(),
    output: outputFormat.exactOptional(),
    userId: z.string().exactOptional(),
    cacheKey: z.string().exactOptional(),
  })
  .openapi("LlmRequest");
