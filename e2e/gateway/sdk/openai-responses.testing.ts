import type OpenAI from "openai";
import { modelIds, openAiClient } from "./openai-chat.testing.ts";
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

type Input = OpenAI.Responses.ResponseInputItem[];

/** Responses of `openai`, without a state at the provider, as agents use it. */
export function openAiResponsesSdk(access: Access): SdkClient {
  const client = openAiClient(access);
  return {
    ask: (ask) => turn(client, ask, [{ role: "user", content: promptParts(ask) }]),
    models: () => modelIds(client),
  };
}

function promptParts({ prompt, withImage }: Ask): OpenAI.Responses.ResponseInputContent[] {
  const image: OpenAI.Responses.ResponseInputImage = {
    type: "input_image",
    detail: "auto",
    image_url: `data:image/png;base64,${PNG}`,
  };
  return [...(withImage ? [image] : []), { type: "input_text", text: prompt }];
}

async function turn(client: OpenAI, ask: Ask, input: Input): Promise<Heard> {
  const params: OpenAI.Responses.ResponseCreateParamsNonStreaming = {
    model: ask.model,
    max_output_tokens: MAX_TOKENS,
    input,
    store: false,
    ...(ask.withTools && {
      tools: TOOLS.map(({ name, description, schema }) => ({
        type: "function" as const,
        name,
        description,
        parameters: schema,
        strict: false,
      })),
    }),
    ...(ask.withThinking && {
      reasoning: { effort: "low", summary: "auto" },
      include: ["reasoning.encrypted_content"],
    }),
    ...(ask.withSchema && {
      text: { format: { type: "json_schema", name: "forecast", strict: true, schema: FORECAST_SCHEMA } },
    }),
  };
  const options = { signal: ask.signal };
  let argumentPieces = 0;
  let response: OpenAI.Responses.Response;
  if (ask.stream) {
    const stream = client.responses.stream({ ...params, stream: true }, options);
    stream.on("response.function_call_arguments.delta", () => {
      argumentPieces++;
    });
    stream.on("response.output_text.delta", ({ delta }) => ask.onText?.(delta));
    response = await stream.finalResponse();
  } else {
    response = await client.responses.create(params, options);
  }
  const { output, usage, status, incomplete_details } = response;
  if (usage === undefined || usage === null) throw new Error("The answer has no usage.");
  const calls = output.flatMap((item) =>
    item.type === "function_call"
      ? [{ id: item.call_id, name: item.name, input: JSON.parse(item.arguments) as unknown }]
      : [],
  );
  const stop = stopOf({ completed: "end", max_output_tokens: "length" }, incomplete_details?.reason ?? status);
  return {
    text: response.output_text,
    thinking: output
      .flatMap((item) => (item.type === "reasoning" ? item.summary.map((part) => part.text) : []))
      .join(""),
    calls,
    stop: stop === "end" && calls.length > 0 ? "tools" : stop,
    usage: {
      input: usage.input_tokens,
      output: usage.output_tokens,
      cacheRead: usage.input_tokens_details.cached_tokens,
    },
    argumentPieces,
    reply: (resultOf) =>
      turn(client, ask, [
        ...input,
        ...(output as Input),
        ...calls.map((call) => ({ type: "function_call_output" as const, call_id: call.id, output: resultOf(call) })),
      ]),
  };
}
