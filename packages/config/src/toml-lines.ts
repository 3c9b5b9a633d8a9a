const HEADER = /^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$/;
const ENTRY = /^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=(.*)$/;
const NAME = /[\w-]+|"[^"]*"|'[^']*'/g;

/**
 * Where each key of a TOML document stands, by dotted path: 1-based lines. The parser gives values only, and a message
 * needs the line. Made for messages, not for meaning: keys of inline tables have the line of the table.
 */
export function linesOfKeys(toml: string): (path: string) => number | undefined {
  const lines = new Map<string, number>();
  let section = "";
  let openQuote: string | undefined;
  for (const [index, line] of toml.split(/\r?\n/).entries()) {
    if (openQuote !== undefined) {
      if (line.includes(openQuote)) openQuote = undefined;
      continue;
    }
    const header = HEADER.exec(line)?.[1];
    const entry = ENTRY.exec(line);
    if (header !== undefined) {
      section = dotted(header);
      lines.set(section, lines.get(section) ?? index + 1);
    } else if (entry !== null) {
      const path = dotted(entry[1] ?? "");
      lines.set(section === "" ? path : `${section}.${path}`, index + 1);
      openQuote = unclosed(entry[2] ?? "");
    }
  }
  return (path) => nearest(lines, path);
}

function dotted(names: string): string {
  return (names.match(NAME) ?? []).map((name) => name.replace(/^["']|["']$/g, "")).join(".");
}

/** The quote of a multi-line string that starts in `value` and does not end there. */
function unclosed(value: string): string | undefined {
  for (const quote of ['"""', "'''"]) {
    const start = value.indexOf(quote);
    if (start >= 0 && !value.includes(quote, start + 3)) return quote;
  }
  return undefined;
}

function nearest(lines: ReadonlyMap<string, number>, path: string): number | undefined {
  for (let at = path; at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf(".")))) {
    const line = lines.get(at);
    if (line !== undefined) return line;
  }
  return undefined;
}
