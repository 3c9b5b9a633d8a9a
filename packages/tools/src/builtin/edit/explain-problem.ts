import { displayPath } from "../../files/display-path.ts";
import { numberLines } from "../text-content.ts";
import type { EditProblem } from "./apply-edits.ts";
import { toReadable } from "./editable-text.ts";
import { nearestLines } from "./nearest-lines.ts";

const MAX_SHOWN_LINES = 12;
const MAX_LINE_LENGTH = 300;

type TextProblem<Type extends EditProblem["type"]> = Extract<EditProblem, { type: Type }>;

/** What the model is told of an edit that cannot be made: why, and what the file holds where it was probably meant. */
export function explainProblem(path: string, problem: EditProblem): string {
  const which = `edits[${problem.index}]`;
  const file = displayPath(path);
  const nothing = problem.index === 0 ? "Nothing was changed." : "Nothing was changed, by no edit of this call.";
  switch (problem.type) {
    case "no_change":
      return `${which}: oldText and newText are the same. ${nothing}`;
    case "not_empty":
      return `${which}: an empty oldText creates a file, and ${file} already has content. To change it, give the text to replace as oldText. ${nothing}`;
    case "ambiguous":
      return `${which}: oldText is not unique in ${file}. Add lines around it, or set replaceAll. ${nothing} ${places(problem)}`;
    case "not_found":
      return `${which}: oldText is not in ${file}${afterOthers(problem)}. It must match exactly, white space included. ${nothing}${nearest(problem)}`;
  }
}

function afterOthers({ index }: EditProblem): string {
  return index === 0 ? "" : " as the edits before it would leave it";
}

function places({ file, starts }: TextProblem<"ambiguous">): string {
  const numbers: number[] = [];
  let line = 1;
  let at = 0;
  for (const start of starts) {
    line += file.text.slice(at, start).split("\n").length - 1;
    at = start;
    numbers.push(line);
  }
  const lines = file.text.split("\n");
  const shown = [...new Set(numbers)].map((number) => numberLines([readable(lines[number - 1] ?? "")], number));
  return `It begins on these lines, at least:\n${shown.join("\n")}`;
}

function nearest({ file, oldText }: TextProblem<"not_found">): string {
  const wanted = oldText.replace(/\n+$/, "").split("\n");
  const lines = file.text.split("\n");
  const near = nearestLines(lines, wanted);
  if (near.length === 0) return " No line of it looks similar. Read the file again.";
  const onlySpace = near[0]?.similarity === 1;
  const hint = onlySpace ? " Only white space or the line breaks differ from these lines:" : " The nearest lines are:";
  const blocks = near.map(({ start }) => {
    const first = Math.max(0, start);
    const last = Math.min(lines.length, start + Math.max(1, wanted.length), first + MAX_SHOWN_LINES);
    return numberLines(lines.slice(first, last).map(readable), first + 1);
  });
  return `${hint}\n${blocks.join("\n--\n")}`;
}

function readable(line: string): string {
  return toReadable(line.length > MAX_LINE_LENGTH ? `${line.slice(0, MAX_LINE_LENGTH)}...` : line);
}
