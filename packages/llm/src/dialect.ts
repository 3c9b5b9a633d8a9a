/** The dialects that a codec can be of, as `dialect` names them in blocks, tools and seals. */
export type WireDialect = "anthropic" | "chat" | "responses" | "gemini";

const NAMES: ReadonlyMap<string, string> = new Map<WireDialect, string>([
  ["anthropic", "Anthropic Messages"],
  ["chat", "OpenAI Chat Completions"],
  ["responses", "OpenAI Responses"],
  ["gemini", "Gemini generateContent"],
]);

/** What people call a dialect, for sentences. */
export function dialectName(dialect: string): string {
  return NAMES.get(dialect) ?? `the dialect ${JSON.stringify(dialect)}`;
}
