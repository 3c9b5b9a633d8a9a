/** U+FEFF in UTF-8. */
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
/** As much as git looks at. */
const SNIFFED_BYTES = 8_000;

/** Whether this is no text. UTF-16 counts as none: it is full of NUL bytes. */
export function isBinary(bytes: Uint8Array): boolean {
  return bytes.subarray(0, SNIFFED_BYTES).includes(0);
}

/** Length of the byte order mark at the start, 0 or 3. */
export function byteOrderMarkLength(bytes: Uint8Array): number {
  return BYTE_ORDER_MARK.equals(bytes.subarray(0, BYTE_ORDER_MARK.length)) ? BYTE_ORDER_MARK.length : 0;
}

/** Lines as a model is shown them, each behind its number and a tab. */
export function numberLines(lines: readonly string[], firstLine: number): string {
  return lines.map((line, index) => `${firstLine + index}\t${line}`).join("\n");
}
