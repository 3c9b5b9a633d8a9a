import type Anthropic from "@anthropic-ai/sdk";
import type { ClientOptions } from "@anthropic-ai/sdk";
import {
  type Access,
  type Ask,
  FORECAST_SCHEMA,
  type Heard,
  MAX_TOKENS,
  PNG,
  type SdkClient,
  stopOf,
  TOOLS,
} from "./sdk-client.testing.ts";

/** The options of a client that is pointed at Loom; the token goes in `x-api-key`. */
export function anthropicOptions({ baseUrl, token }: Access): ClientOptions {
  return { baseURL: baseUrl, apiKey: token, authToken: null, maxRetries: 0 };
}

/** As far as the client for Vertex AI has the same; that one cannot list models. */
type Client = { readonly messages: Pick<Anthropic.Messages, "create" | "stream" | "countTokens"> } & Partial<
  Pick<Anthropic, "models">
>;

/** Messages of `@anthropic-ai/sdk`, and of `@anthropic-ai/vertex-sdk`. */
export function anthropicSdk(client: Client): SdkClient {
  return {
    ask: (ask) => turn(client, ask, [{ role: "user", content: promptBlocks(ask) }]),
    async models() {
      const ids: string[] = [];
      for await (const { id } of client.models?.list() ?? []) ids.push(id);
      return ids;
    },
    async countTokens(model, prompt) {
      const counted = await client.messages.countTokens({ model, messages: [{ role: "user", content: prompt }] });
      return counted.input_tokens;
    },
  };
}

function promptBlocks({ prompt, withImage }: Ask): Anthropic.ContentBlockParam[] {
  const image: Anthropic.ImageBlockParam = {
    type: "image",
    source: { type: "base64", media_type: "image/png", data: PNG },
  };
  return [...(withImage ? [image] : []), { type: "text", text: prompt }];
}

async function turn(client: Client, ask: Ask, messages: Anthropic.MessageParam[]): Promise<Heard> {
  const params: Anthropic.MessageCreateParamsNonStreaming = {
    model: ask.model,
    max_tokens: MAX_TOKENS,
    messages,
    ...(ask.withTools && {
      tools: TOOLS.map(({ name, description, schema }) => ({ name, description, input_schema: schema })),
    }),
    ...(ask.withThinking && { thinking: { type: "enabled", budget_tokens: 1_024 } }),
    ...(ask.withSchema && { output_config: { format: { type: "json_schema", schema: FORECAST_SCHEMA } } }),
  };
  const options = { signal: ask.signal };
  let argumentPieces = 0;
  let message: Anthropic.Message;
  if (ask.stream) {
    const stream = client.messages.stream(params, options);
    stream.on("inputJson", (piece) => {
      if (piece !== "") argumentPieces++;
    });
    stream.on("text", (piece) => ask.onText?.(piece));
    message = await stream.finalMessage();
  } else {
    message = await client.messages.create(params, options);
  }
  const { content, usage } = message;
  const calls = content.flatMap((block) =>
    block.type === "tool_use" ? [{ id: block.id, name: block.name, input: block.input }] : [],
  );
  const cacheRead = usage.cache_read_input_tokens ?? 0;
  return {
    text: content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join(""),
    thinking: content.flatMap((block) => (block.type === "thinking" ? [block.thinking] : [])).join(""),
    calls,
    stop: stopOf({ end_turn: "end", tool_use: "tools", max_tokens: "length" }, message.stop_reason),
    usage: { input: usage.input_tokens + cacheRead, output: usage.output_tokens, cacheRead },
    argumentPieces,
    reply: (resultOf) =>
      turn(client, ask, [
        ...messages,
        { role: "assistant", content },
        {
          role: "user",
          content: calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: resultOf(call) })),
        },
      ]),
  };
}
