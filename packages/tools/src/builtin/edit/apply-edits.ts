import type { EditableText } from "./editable-text.ts";
import { keepFinalLineBreak, replaceAt, toEditableForm } from "./editable-text.ts";

export type Edit = { readonly oldText: string; readonly newText: string; readonly replaceAll: boolean };

/** Why an edit cannot be made. `file` is what the edits before it have left, `oldText` in the form of its text. */
export type EditProblem = { readonly index: number } & (
  | { readonly type: "not_found"; readonly file: EditableText; readonly oldText: string }
  | { readonly type: "ambiguous"; readonly file: EditableText; readonly starts: readonly number[] }
  | { readonly type: "no_change" }
  | { readonly type: "not_empty" }
);

export type EditResult =
  | {
      readonly type: "edited";
      readonly file: EditableText;
      readonly replacements: number;
      /** Whether the end of the file had to be put back as it was. */
      readonly finalLineBreakKept: boolean;
    }
  | { readonly type: "refused"; readonly problem: EditProblem };

/** More places than anybody wants to be told of. */
const MAX_REPORTED_PLACES = 10;

/** Applies one edit after the other, each to what the one before has left: all of them, or none. */
export function applyEdits(original: EditableText, edits: readonly Edit[]): EditResult {
  let file = original;
  let replacements = 0;
  for (const [index, edit] of edits.entries()) {
    const before = toEditableForm(edit.oldText, file);
    const after = toEditableForm(edit.newText, file);
    if (before === "") {
      if (file.text !== "") return refused({ index, type: "not_empty" });
      file = { ...file, text: after };
      replacements += 1;
      continue;
    }
    if (before === after) return refused({ index, type: "no_change" });
    const starts = edit.replaceAll ? allStarts(file.text, before) : firstStarts(file.text, before);
    if (starts.length === 0) return refused({ index, type: "not_found", file, oldText: before });
    if (starts.length > 1 && !edit.replaceAll) return refused({ index, type: "ambiguous", file, starts });
    file = replaceAt(file, starts, before, after);
    replacements += starts.length;
  }
  const kept = keepFinalLineBreak(file, original);
  return { type: "edited", file: kept, replacements, finalLineBreakKept: kept !== file };
}

function refused(problem: EditProblem): EditResult {
  return { type: "refused", problem };
}

/** Every place where `part` could be meant, overlapping ones too, as far as they are reported. */
function firstStarts(text: string, part: string): number[] {
  const starts: number[] = [];
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + 1)) {
    starts.push(at);
    if (starts.length === MAX_REPORTED_PLACES) break;
  }
  return starts;
}

function allStarts(text: string, part: string): number[] {
  const starts: number[] = [];
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + part.length)) starts.push(at);
  return starts;
}
