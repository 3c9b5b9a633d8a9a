import type { JsonObject, LlmRequest, ToolDefinition } from "@loom/core";
import { brokenCallsLeftOut } from "../broken-call.ts";
import type { EncodedRequest } from "../codec.ts";
import { thinkingLeftOut } from "../earlier-thinking.ts";
import { hintsLeftOut } from "../hints.ts";
import { ownTools } from "../own-words.ts";
import { prefillLeftOut } from "../prefill.ts";
import { writeRequest } from "../request-problem.ts";
import { samplingLeftOut } from "../sampling.ts";
import { isStrictForOpenAi, strictnessLeftOut } from "../strict-schema.ts";
import { titlesLeftOut } from "../titles.ts";
import { encodeMessages, takesThinking } from "./encode-messages.ts";
import type { OpenAiChatOptions } from "./options.ts";
import { settingsToWire } from "./settings-to-wire.ts";
import { thinkingToWire } from "./thinking-to-wire.ts";

/** The body of `POST /v1/chat/completions`: https://platform.openai.com/docs/api-reference/chat/create */
export function encodeRequest(
  request: LlmRequest,
  { stream, ...options }: OpenAiChatOptions & { readonly stream: boolean },
): EncodedRequest {
  return writeRequest(
    (leaveOut) => {
      const system: JsonObject[] = request.system === "" ? [] : [{ role: "system", content: request.system }];
      const tools = [...request.tools.map(toolToWire), ...ownTools(request.providerTools, "chat")];
      const settings = settingsToWire(request, options);
      leaveOut(...samplingLeftOut(request, settings));
      const { leftOut: thinking } = thinkingToWire(request, options);
      if (thinking !== undefined) leaveOut(thinking);
      return {
        model: request.model,
        messages: [...system, ...encodeMessages(request.messages, options)],
        ...(request.maxTokens === undefined ? {} : { [options.maxTokensField]: request.maxTokens }),
        ...(tools.length === 0 ? {} : { tools }),
        ...settings,
        ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}),
      };
    },
    [
      ...brokenCallsLeftOut(request.messages),
      ...prefillLeftOut(request.messages),
      ...thinkingLeftOut(request.messages, (block) => takesThinking(block, options)),
      ...strictnessLeftOut(request, isStrictForOpenAi),
      ...titlesLeftOut(request.messages, ({ type }) => type !== "file"),
      ...hintsLeftOut(request, options.cacheKey ? ["user", "prompt_cache_key"] : ["user"]),
    ],
  );
}

function toolToWire({ name, description, inputSchema, strict }: ToolDefinition): JsonObject {
  const held = strict === undefined ? {} : { strict: strict && isStrictForOpenAi(inputSchema) };
  const described = { name, description, parameters: inputSchema, ...held };
  return { type: "function", function: described };
}
