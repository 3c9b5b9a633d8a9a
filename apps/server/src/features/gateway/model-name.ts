const MAX_MODEL = 200;

/**
 * Of the printable characters of ASCII, none that means something in a header or in an address. Servers of one's own call
 * models as their files are called, with blanks, parentheses and the backslashes of Windows.
 */
export function isModelName(model: string): boolean {
  return model.length <= MAX_MODEL && NAME.test(model) && !DOTS.test(model);
}

const NAME = /^[\w.:@/+~-](?:[\w.:@/+~\\()[\],= -]*[\w.:@/+~\\()[\],=-])?$/;
const DOTS = /(?:^|[/\\])\.{1,2}(?:[/\\]|$)/;

/** What is said of a name that is none. */
export const MODEL_NAMES = `It may have ${MAX_MODEL} letters, digits, blanks inside and any of . : @ / + ~ - _ ( ) [ ] , = \\ but no part . or ..`;
