/**
 * The same text in memory of its own. A piece of a longer text refers to all of that, so a name that is kept out of a
 * request's head would keep the whole head, with the token in it.
 */
export function flat(text: string): string {
  return Buffer.from(text, "utf16le").toString("utf16le");
}
