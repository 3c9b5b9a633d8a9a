import type { JsonObject, OpaqueBlock, ProviderTool } from "@loom/core";
import { dialectName, type WireDialect } from "./dialect.ts";
import { asObject, asText } from "./json-reader.ts";
import { quote } from "./quote.ts";
import { refuse } from "./request-problem.ts";
import { readWebSearch, webSearchToWire } from "./web-search.ts";

/** The tools that the provider runs itself, in its own words; one that only another dialect has is refused. */
export function ownTools(tools: readonly ProviderTool[] | undefined, own: WireDialect): JsonObject[] {
  return (tools ?? []).map((tool, index) => {
    const { dialect, definition } = tool;
    if (dialect === own) return definition;
    const path = `providerTools.${index}`;
    const search = readWebSearch(tool);
    if (search !== undefined) return webSearchToWire(search, own, path);
    const name = asText(definition.type) ?? Object.keys(definition)[0] ?? "";
    return refuse(path, only(dialect, own, `holds a tool (${quote(name)})`));
  });
}

/** A block that only this dialect knows, as it came; one of another dialect is refused. */
export function ownBlock({ dialect, data }: OpaqueBlock, own: WireDialect, path: string): JsonObject {
  return dialect === own ? data : refuse(path, only(dialect, own, `holds a part (${quote(nameOf(data))})`));
}

/** Its type; Gemini's parts have none, but one field that says what they are, with the type of the media in it. */
function nameOf(data: JsonObject): string {
  const [field = ""] = Object.keys(data);
  const media = asObject(data[field]);
  const mediaType = asText(media?.mimeType) ?? asText(media?.mime_type);
  return asText(data.type) ?? (mediaType === undefined ? field : `${field} ${mediaType}`);
}

/** Loom's names of what a client calls otherwise. */
const NAMES: readonly (readonly [RegExp, Readonly<Record<WireDialect, string>>])[] = [
  [/^messages(?:\.\d+)?/, { anthropic: "messages", chat: "messages", responses: "input", gemini: "contents" }],
  [/^providerTools\.\d+/, { anthropic: "tools", chat: "tools", responses: "tools", gemini: "tools" }],
  [
    /^stopSequences(?:\.\d+)?/,
    { anthropic: "stop_sequences", chat: "stop", responses: "stop", gemini: "generationConfig.stopSequences" },
  ],
  [
    /^toolChoice/,
    {
      anthropic: "tool_choice",
      chat: "tool_choice",
      responses: "tool_choice",
      gemini: "toolConfig.functionCallingConfig",
    },
  ],
  [
    /^output(?= )/,
    {
      anthropic: "output_config.format",
      chat: "response_format",
      responses: "text.format",
      gemini: "generationConfig.responseMimeType",
    },
  ],
];

/**
 * A codec's `problem` with a request, by the names that a client of `dialect` has. Numbers go: they count Loom's
 * messages and tools, which need not be the client's.
 */
export function problemInWordsOf(dialect: WireDialect, problem: string): string {
  const name = NAMES.find(([pattern]) => pattern.test(problem));
  return name === undefined ? problem : problem.replace(name[0], name[1][dialect]);
}

function only(dialect: string, own: WireDialect, what: string): string {
  return `${what} that only ${dialectName(dialect)} knows, and cannot be sent to a model that speaks ${dialectName(own)}`;
}
