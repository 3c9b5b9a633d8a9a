import { type Content, type GenerateContentResponse, GoogleGenAI, type Part } from "@google/genai";
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

/** A client that is pointed at Loom; the token goes in `x-goog-api-key`. */
export function googleClient({ baseUrl, token }: Access): GoogleGenAI {
  return new GoogleGenAI({ apiKey: token, httpOptions: { baseUrl } });
}

/** `@google/genai`, whether its client speaks to Gemini or to Vertex AI. */
export function googleSdk(client: GoogleGenAI): SdkClient {
  return {
    ask: (ask) => turn(client, ask, [{ role: "user", parts: promptParts(ask) }]),
    async models() {
      const names: string[] = [];
      for await (const { name = "" } of await client.models.list()) names.push(name.replace(/^models\//, ""));
      return names;
    },
    async countTokens(model, prompt) {
      return (await client.models.countTokens({ model, contents: prompt })).totalTokens ?? 0;
    },
  };
}

function promptParts({ prompt, withImage }: Ask): Part[] {
  return [...(withImage ? [{ inlineData: { mimeType: "image/png", data: PNG } }] : []), { text: prompt }];
}

async function turn(client: GoogleGenAI, ask: Ask, contents: Content[]): Promise<Heard> {
  const request = {
    model: ask.model,
    contents,
    config: {
      maxOutputTokens: MAX_TOKENS,
      ...(ask.signal && { abortSignal: ask.signal }),
      ...(ask.withTools && {
        tools: [
          {
            functionDeclarations: TOOLS.map(({ name, description, schema }) => ({
              name,
              description,
              parametersJsonSchema: schema,
            })),
          },
        ],
      }),
      ...(ask.withThinking && { thinkingConfig: { includeThoughts: true, thinkingBudget: 1_024 } }),
      ...(ask.withSchema && { responseMimeType: "application/json", responseJsonSchema: FORECAST_SCHEMA }),
    },
  };
  const answers: GenerateContentResponse[] = [];
  if (ask.stream) {
    for await (const chunk of await client.models.generateContentStream(request)) {
      answers.push(chunk);
      if (chunk.text) ask.onText?.(chunk.text);
    }
  } else answers.push(await client.models.generateContent(request));
  const parts = answers.flatMap((answer) => answer.candidates?.[0]?.content?.parts ?? []);
  const called = parts.flatMap((part) => part.functionCall ?? []);
  // The dialect has ids, and most models do without: then the place among the calls has to do.
  const calls = called.map(({ id, name = "", args }, index) => ({ id: id ?? String(index), name, input: args }));
  const last = answers.at(-1);
  const stop = stopOf({ STOP: "end", MAX_TOKENS: "length" }, last?.candidates?.[0]?.finishReason);
  const usage = last?.usageMetadata;
  return {
    text: parts.flatMap((part) => (part.thought === true ? [] : (part.text ?? []))).join(""),
    thinking: parts.flatMap((part) => (part.thought === true ? (part.text ?? []) : [])).join(""),
    calls,
    stop: calls.length > 0 && stop === "end" ? "tools" : stop,
    usage: {
      input: usage?.promptTokenCount ?? 0,
      output: (usage?.candidatesTokenCount ?? 0) + (usage?.thoughtsTokenCount ?? 0),
      cacheRead: usage?.cachedContentTokenCount ?? 0,
    },
    argumentPieces: called.length,
    reply: (resultOf) =>
      turn(client, ask, [
        ...contents,
        { role: "model", parts },
        {
          role: "user",
          parts: called.map(({ id, name = "" }, index) => ({
            functionResponse: {
              ...(id === undefined ? {} : { id }),
              name,
              response: { output: resultOf(calls[index] ?? { id: "", name, input: {} }) },
            },
          })),
        },
      ]),
  };
}
