const MAX_PATH = 2_000;
const BASE = "http://loom.invalid";

/** Whether a wish for where to go next stays on this server: a path, read as browsers read it. */
export function isOwnPath(wish: string): boolean {
  // Browsers take a backslash for a slash, and leave tabs and line ends out.
  if (wish.length > MAX_PATH || !/^\/[\x21-\x5b\x5d-\x7e]*$/.test(wish)) return false;
  return URL.canParse(wish, BASE) && new URL(wish, BASE).origin === BASE;
}
