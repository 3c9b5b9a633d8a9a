import { existsSync, readFileSync, writeFileSync } from "node:fs";

const BEGIN = "<!-- bench:begin -->";
const END = "<!-- bench:end -->";

const PAGE = `# Benchmarks

${BEGIN}
${END}
`;

/** Puts the text between the markers of the file and leaves the rest of it alone; makes the page where there is none. */
export function writeBetweenMarkers(file: string, text: string): void {
  const page = existsSync(file) ? readFileSync(file, "utf8") : PAGE;
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin === -1 || end < begin)
    throw new Error(`${file} has no lines "${BEGIN}" and "${END}" for the figures: add both.`);
  writeFileSync(file, `${page.slice(0, begin + BEGIN.length)}\n\n${text}\n\n${page.slice(end)}`);
}
