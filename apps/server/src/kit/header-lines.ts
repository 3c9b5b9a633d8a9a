/** A header's name (RFC 9110, section 5.1). */
export const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** What no header lines hold: control characters, line ends of one character, and what is no byte. */
export const NOT_IN_HEADER_LINES = /[^\t\r\n\x20-\x7e\x80-\xff]|\r(?!\n)|(?<!\r)\n/;
