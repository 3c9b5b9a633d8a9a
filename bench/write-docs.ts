import { existsSync, readFileSync, writeFileSync } from "node:fs";

/** Puts the text between the markers of that name in the file and leaves the rest of it alone. */
export function writeBetweenMarkers(
  file: string,
  text: string,
  name: "audit" | "bench" | "gateway" | "local-threads" | "policy" | "sessions" | "sync" | "threads",
): void {
  const [beginMark, endMark] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const page = existsSync(file) ? readFileSync(file, "utf8") : `# Benchmarks\n\n${beginMark}\n${endMark}\n`;
  const begin = page.indexOf(beginMark);
  const end = page.indexOf(endMark);
  if (begin === -1 || end < begin)
    throw new Error(`${file} has no lines "${beginMark}" and "${endMark}" for the figures: add both.`);
  writeFileSync(file, `${page.slice(0, begin + beginMark.length)}\n\n${text}\n\n${page.slice(end)}`);
}
