/** A header's name (RFC 9110, section 5.1). */
export const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** What no header lines hold: control characters, line ends of one character, and what is no byte. */
export const NOT_IN_HEADER_LINES = /[^\t\r\n\x20-\x7e\x80-\xff]|\r(?!\n)|(?<!\r)\n/;

/** More than most values hold, and found in half the time. */
const UNUSUAL = /[^ -~]/;
const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** Whether this may stand behind a header's name (RFC 9110, section 5.5), as latin1: no control characters but tabs. */
export function isHeaderValue(value: string): boolean {
  return !UNUSUAL.test(value) || !NOT_IN_VALUE.test(value);
}
