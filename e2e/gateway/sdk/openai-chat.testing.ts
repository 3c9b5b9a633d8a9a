import OpenAI from "openai";
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

type Messages = OpenAI.ChatCompletionMessageParam[];

/** A client that is pointed at Loom; the token goes in `Authorization`. */
export function openAiClient({ baseUrl, token }: Access): OpenAI {
  return new OpenAI({ baseURL: baseUrl, apiKey: token, maxRetries: 0 });
}

/** Chat Completions of `openai`. */
export function openAiChatSdk(access: Access): SdkClient {
  const client = openAiClient(access);
  return {
    ask: (ask) => turn(client, ask, [{ role: "user", content: promptParts(ask) }]),
    models: () => modelIds(client),
  };
}

export async function modelIds(client: OpenAI): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { id } of client.models.list()) ids.push(id);
  return ids;
}

function promptParts({ prompt, withImage }: Ask): OpenAI.ChatCompletionContentPart[] {
  const image: OpenAI.ChatCompletionContentPart = {
    type: "image_url",
    image_url: { url: `data:image/png;base64,${PNG}` },
  };
  return [...(withImage ? [image] : []), { type: "text", text: prompt }];
}

async function turn(client: OpenAI, ask: Ask, messages: Messages): Promise<Heard> {
  const params = {
    model: ask.model,
    max_completion_tokens: MAX_TOKENS,
    messages,
    ...(ask.withTools && {
      tools: TOOLS.map(({ name, description, schema }) => ({
        type: "function" as const,
        function: { name, description, parameters: schema },
      })),
    }),
    ...(ask.withThinking && { reasoning_effort: "low" as const }),
    ...(ask.withSchema && {
      response_format: {
        type: "json_schema" as const,
        json_schema: { name: "forecast", strict: true, schema: FORECAST_SCHEMA },
      },
    }),
  };
  const options = { signal: ask.signal };
  let argumentPieces = 0;
  let completion: OpenAI.ChatCompletion;
  if (ask.stream) {
    const stream = client.chat.completions.stream({ ...params, stream_options: { include_usage: true } }, options);
    stream.on("tool_calls.function.arguments.delta", ({ arguments_delta }) => {
      if (arguments_delta !== "") argumentPieces++;
    });
    stream.on("content", (piece) => ask.onText?.(piece));
    completion = await stream.finalChatCompletion();
  } else {
    completion = await client.chat.completions.create(params, options);
  }
  const { message, finish_reason } = completion.choices[0] ?? {};
  const { usage } = completion;
  if (message === undefined || usage === undefined) throw new Error("The answer has no message or no usage.");
  const calls = (message.tool_calls ?? []).flatMap((call) =>
    call.type === "function"
      ? [{ id: call.id, name: call.function.name, input: JSON.parse(call.function.arguments) as unknown }]
      : [],
  );
  return {
    text: message.content ?? "",
    // Not OpenAI's own, but what the servers of open models send.
    thinking: (message as { reasoning_content?: string }).reasoning_content ?? "",
    calls,
    stop: stopOf({ stop: "end", tool_calls: "tools", length: "length" }, finish_reason),
    usage: {
      input: usage.prompt_tokens,
      output: usage.completion_tokens,
      cacheRead: usage.prompt_tokens_details?.cached_tokens ?? 0,
    },
    argumentPieces,
    reply: (resultOf) =>
      turn(client, ask, [
        ...messages,
        message,
        ...calls.map((call) => ({ role: "tool" as const, tool_call_id: call.id, content: resultOf(call) })),
      ]),
  };
}
