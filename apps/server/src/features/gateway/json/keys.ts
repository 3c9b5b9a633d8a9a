/**
 * With these, servers that sell the models of others (OpenRouter, LiteLLM, Vercel's gateway) take another model than the one
 * in `model`. https://openrouter.ai/docs/api-reference/overview
 */
export const MODEL_CHOICES = [
  "models",
  "fallbacks",
  "context_window_fallbacks",
  "content_policy_fallbacks",
  "model_list",
  "route",
  "preset",
  "plugins",
  "providerOptions",
] as const;

/** What somebody looks for; other members are passed over. */
export const JSON_KEYS = [
  "model",
  "modelVersion",
  "stream",
  "stream_options",
  "max_tokens",
  "max_completion_tokens",
  "max_output_tokens",
  "n",
  "best_of",
  "background",
  "store",
  "prompt",
  "previous_response_id",
  "conversation",
  "cachedContent",
  "cached_content",
  "generationConfig",
  "generation_config",
  "prompt_cache_key",
  "anthropic_version",
  ...MODEL_CHOICES,
  "tools",
  "usage",
  "usageMetadata",
  "error",
  "object",
] as const;
export type JsonKey = (typeof JSON_KEYS)[number];

/** One of `JSON_KEYS` that was found. */
export type FoundKey = {
  readonly key: JsonKey;
  /** Not so where it stands there in another case. */
  readonly isExact: boolean;
};

type KnownKey = {
  readonly spelling: Buffer;
  readonly isOfAnswers: boolean;
  readonly exact: FoundKey;
  readonly inOtherCase: FoundKey;
};

/** Nobody reads an answer without regard to case. */
const KEYS_OF_ANSWERS: ReadonlySet<string> = new Set(["modelVersion", "usage", "usageMetadata", "error", "object"]);

const KEYS_BY_LENGTH = new Map<number, readonly KnownKey[]>();
for (const key of JSON_KEYS) {
  const known = {
    spelling: Buffer.from(key, "latin1"),
    isOfAnswers: KEYS_OF_ANSWERS.has(key),
    exact: { key, isExact: true },
    inOtherCase: { key, isExact: false },
  };
  KEYS_BY_LENGTH.set(key.length, [...(KEYS_BY_LENGTH.get(key.length) ?? []), known]);
}

const LONGEST = Math.max(...KEYS_BY_LENGTH.keys());
/** As `\u006d`. */
const ESCAPED_BYTES = 6;

const BACKSLASH = 0x5c;

/** Bytes of a key that may be another one than it looks: escapes, capital letters, and all that is not ASCII. */
const UNUSUAL = new Uint8Array(256);
UNUSUAL[BACKSLASH] = 1;
UNUSUAL.fill(1, 0x41, 0x5b);
UNUSUAL.fill(1, 0x80);

/**
 * The key between its quotes, if it is one that somebody looks for: `mod\u0065l` is `model`, and so it is `Model` for
 * servers that read names without regard to case, as those written in Go do.
 */
export function knownKey(bytes: Buffer, start: number, end: number): FoundKey | undefined {
  for (const { spelling, exact } of KEYS_BY_LENGTH.get(end - start) ?? NONE) {
    if (matches(bytes, start, spelling)) return exact;
  }
  if (end - start > LONGEST * ESCAPED_BYTES) return undefined;
  for (let at = start; at < end; at += 1) if (UNUSUAL[bytes[at] ?? 0] === 1) return unusualKey(bytes, start, end);
  return undefined;
}

const NONE: readonly never[] = [];

function matches(bytes: Buffer, start: number, spelling: Buffer): boolean {
  for (let index = 0; index < spelling.length; index += 1) if (bytes[start + index] !== spelling[index]) return false;
  return true;
}

/** UTF-16 units of the key that is looked at. */
const units = new Uint16Array(LONGEST);

function unusualKey(bytes: Buffer, start: number, end: number): FoundKey | undefined {
  const known = KEYS_BY_LENGTH.get(readUnits(bytes, start, end)) ?? NONE;
  for (const { spelling, exact } of known) if (spelling.every((byte, index) => units[index] === byte)) return exact;
  for (const { spelling, isOfAnswers, inOtherCase } of known) {
    if (!isOfAnswers && spelling.every((byte, index) => folded(units[index] ?? 0) === folded(byte))) return inOtherCase;
  }
  return undefined;
}

/** How many there are; -1 where there are too many, or some that no key has. A loop: bodies may have a million keys. */
function readUnits(bytes: Buffer, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end; count += 1) {
    if (count === LONGEST) return -1;
    const byte = bytes[at] ?? 0;
    let unit = byte;
    if (byte === BACKSLASH) {
      unit = bytes[at + 1] === LOWER_U ? hexUnit(bytes, at + 2) : -1;
      at += ESCAPED_BYTES;
    } else if (byte < 0x80) {
      at += 1;
    } else if (byte < 0xe0) {
      unit = ((byte & 0x1f) << 6) | trailing(bytes, at + 1);
      at += 2;
    } else if (byte < 0xf0) {
      unit = ((byte & 0x0f) << 12) | (trailing(bytes, at + 1) << 6) | trailing(bytes, at + 2);
      at += 3;
    } else return -1;
    if (unit === -1 || at > end) return -1;
    units[count] = unit;
  }
  return count;
}

const LOWER_U = 0x75;

function trailing(bytes: Buffer, at: number): number {
  return (bytes[at] ?? 0) & 0x3f;
}

function hexUnit(bytes: Buffer, start: number): number {
  let unit = 0;
  for (let at = start; at < start + 4; at += 1) {
    const digit = hexDigit(bytes[at] ?? 0);
    if (digit === -1) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** What Unicode folds to a letter of ASCII, or turns into one in either case: the Kelvin sign, long s, the two i of Turkish. */
function folded(unit: number): number {
  if (unit >= 0x41 && unit <= 0x5a) return unit + 0x20;
  switch (unit) {
    case 0x212a:
      return 0x6b;
    case 0x17f:
      return 0x73;
    case 0x130:
    case 0x131:
      return 0x69;
    default:
      return unit;
  }
}
