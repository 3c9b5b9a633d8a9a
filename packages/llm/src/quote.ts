const MAX_QUOTE = 200;
/** Far more than is quoted, so that masking sees whole words, and little enough to be quick. */
const MAX_READ = 4_096;
const MASK = "[key]";

/** What a key looks like, where a provider repeats it in its message. The server's own redactor knows the real ones. */
const KEY_PATTERNS: readonly RegExp[] = [
  /\bBearer\s+[^\s"',;]+/gi,
  /\beyJ[\w-]+\.[\w-]+\.[\w-]+/g,
  /\b(?:sk|pk|rk|xai|gsk|ghp|gho|hf|nvapi)[-_][\w*.-]{6,}/gi,
  /\b(?:ak|pat|key|tok|token|secret)[-_](?=[\w*.-]*\d)[\w*.-]{6,}/gi,
  /\bAIza[\w-]{10,}/g,
  /\b\w{32,}\b/g,
  /[A-Za-z0-9+/]{40,}={0,2}/g,
];
const NAMED_KEY = /(api[-_ ]?key(?: provided)?["']?\s*[:=]\s*["']?)[^\s"',;]+/gi;

/**
 * What a provider said, fit to be shown and logged: one line, at most 200 characters, no control or direction-changing
 * characters, and nothing that looks like a key. Bytes that were no text show as one replacement character a run; what
 * is mostly such bytes is not quoted at all.
 */
export function quote(text: string): string {
  const read = text.slice(0, MAX_READ);
  if (isNoise(read)) return "";
  let line = read.replace(UNREADABLE_RUN, "\ufffd").replace(/[\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}]+/gu, " ");
  for (const pattern of KEY_PATTERNS) line = line.replace(pattern, MASK);
  line = line.replace(NAMED_KEY, `$1${MASK}`).trim();
  const bounded = line.length <= MAX_QUOTE ? line : `${line.slice(0, MAX_QUOTE - 1)}…`;
  return bounded.toWellFormed();
}

/** What a decoder leaves of bytes that are no text, what stands for no character, and control characters in between. */
const UNREADABLE_RUN = /[\ufffd\p{Cs}\p{Co}\p{Cn}][\ufffd\p{Cs}\p{Co}\p{Cn}\p{Cc}]*/gu;
const UNREADABLE = /[\ufffd\p{Cs}\p{Co}\p{Cn}]|(?!\s)\p{Cc}/gu;

/** Whether more than a quarter of the text cannot be read: a compressed body, say, or not HTTP at all. */
function isNoise(text: string): boolean {
  return (text.match(UNREADABLE)?.length ?? 0) * 4 > text.length;
}
