/** A client's dialect, the path that it asks and the model that it names. */
export type Way = {
  readonly name: string;
  readonly dialect: "anthropic" | "chat" | "responses" | "gemini" | "loom";
  readonly model: string;
  path(stream: boolean): string;
};

const anthropic = (base: string) => () => `${base}/v1/messages`;
const chat = (base: string) => () => `${base}/v1/chat/completions`;
const responses = (base: string) => () => `${base}/v1/responses`;
const gemini = (base: string, model: string) => (stream: boolean) =>
  `${base}/v1beta/models/${model}:${stream ? "streamGenerateContent?alt=sse" : "generateContent"}`;
const loom = (provider: string) => (stream: boolean) => `/proxy/${provider}/${stream ? "stream" : "complete"}`;

const CLAUDE = "claude-soak";
const GPT = "gpt-soak";
const GEMINI = "gemini-soak";
const GLM = "glm-soak";

/** The same dialect on both sides, every upstream; then every client's dialect to a model of another. */
export const WAYS: readonly Way[] = [
  { name: "anthropic", dialect: "anthropic", model: CLAUDE, path: anthropic("/proxy/anthropic") },
  { name: "chat", dialect: "chat", model: GPT, path: chat("/proxy/openai") },
  { name: "responses", dialect: "responses", model: GPT, path: responses("/proxy/openai") },
  { name: "gemini", dialect: "gemini", model: GEMINI, path: gemini("/proxy/gemini", GEMINI) },
  { name: "zai", dialect: "anthropic", model: GLM, path: () => "/proxy/zai/api/anthropic/v1/messages" },
  { name: "compatible", dialect: "chat", model: "lab-soak", path: chat("/proxy/lab") },
  { name: "anthropic -> chat", dialect: "anthropic", model: GPT, path: anthropic("/anthropic") },
  { name: "anthropic -> gemini", dialect: "anthropic", model: GEMINI, path: anthropic("/anthropic") },
  { name: "chat -> anthropic", dialect: "chat", model: CLAUDE, path: chat("/openai") },
  { name: "chat -> gemini", dialect: "chat", model: GEMINI, path: chat("/openai") },
  { name: "responses -> anthropic", dialect: "responses", model: CLAUDE, path: responses("/openai") },
  { name: "responses -> chat", dialect: "responses", model: "lab/lab-soak", path: responses("/openai") },
  { name: "gemini -> anthropic", dialect: "gemini", model: CLAUDE, path: gemini("/gemini", CLAUDE) },
  { name: "gemini -> chat", dialect: "gemini", model: GLM, path: gemini("/gemini", GLM) },
  { name: "loom -> anthropic", dialect: "loom", model: CLAUDE, path: loom("anthropic") },
  { name: "loom -> gemini", dialect: "loom", model: GEMINI, path: loom("gemini") },
];

const SCHEMA = { type: "object", properties: { path: { type: "string" } }, required: ["path"] };
const TOOL = { name: "read", description: "Reads a file." };
const MAX_TOKENS = 1_000;

/** A request's body in the way's dialect. */
export function bodyOf({ dialect, model }: Way, prompt: string, stream: boolean): string {
  switch (dialect) {
    case "anthropic":
      return JSON.stringify({
        model,
        max_tokens: MAX_TOKENS,
        stream,
        tools: [{ ...TOOL, input_schema: SCHEMA }],
        messages: [{ role: "user", content: prompt }],
      });
    case "chat":
      return JSON.stringify({
        model,
        max_completion_tokens: MAX_TOKENS,
        stream,
        tools: [{ type: "function", function: { ...TOOL, parameters: SCHEMA } }],
        messages: [{ role: "user", content: prompt }],
      });
    case "responses":
      return JSON.stringify({
        model,
        max_output_tokens: MAX_TOKENS,
        stream,
        tools: [{ type: "function", ...TOOL, parameters: SCHEMA, strict: false }],
        input: [{ role: "user", content: [{ type: "input_text", text: prompt }] }],
      });
    case "gemini":
      return JSON.stringify({
        contents: [{ role: "user", parts: [{ text: prompt }] }],
        tools: [{ functionDeclarations: [{ ...TOOL, parameters: SCHEMA }] }],
        generationConfig: { maxOutputTokens: MAX_TOKENS },
      });
    case "loom":
      return JSON.stringify({
        model,
        system: "",
        messages: [{ role: "user", content: [{ type: "text", text: prompt }] }],
        tools: [{ ...TOOL, inputSchema: SCHEMA }],
        maxTokens: MAX_TOKENS,
      });
  }
}

/** What stands in the last bytes of a whole stream. */
export function endMark({ dialect }: Way): string {
  return {
    anthropic: "message_stop",
    chat: "[DONE]",
    responses: "response.completed",
    gemini: '"finishReason"',
    loom: '"completed"',
  }[dialect];
}
