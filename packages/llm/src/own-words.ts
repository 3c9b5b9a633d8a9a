import type { JsonObject, OpaqueBlock, ProviderTool } from "@loom/core";
import { dialectName, type WireDialect } from "./dialect.ts";
import { asText } from "./json-reader.ts";
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
    return refuse(path, only(dialect, own, `is a tool (${quote(name)})`));
  });
}

/** A block that only this dialect knows, as it came; one of another dialect is refused. */
export function ownBlock({ dialect, data }: OpaqueBlock, own: WireDialect, path: string): JsonObject {
  return dialect === own ? data : refuse(path, only(dialect, own, `holds a part (${quote(asText(data.type) ?? "")})`));
}

function only(dialect: string, own: WireDialect, what: string): string {
  return `${what} that only ${dialectName(dialect)} knows, and cannot be sent to a model that speaks ${dialectName(own)}`;
}
