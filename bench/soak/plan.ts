/** What goes wrong at the provider, by the name that the report uses. */
export const FAULTS = [
  "429-retry-after",
  "429",
  "500",
  "529",
  "reset",
  "stall-first",
  "stall-between",
  "never-closes",
  "cut-mid-character",
  "error-first",
  "error-between",
  "html",
  "wrong-type",
  "no-newline",
] as const;

export type Fault = (typeof FAULTS)[number];

/** Token counts, kind by kind as the ledger has them. */
export type Tokens = {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  readonly cacheWriteLong: number;
  readonly reasoning: number;
};

export const TOKEN_KINDS = [
  "input",
  "output",
  "cacheRead",
  "cacheWrite",
  "cacheWriteLong",
  "reasoning",
] as const satisfies readonly (keyof Tokens)[];

/** How the provider answers one request. It travels in the prompt, so that it arrives through any translation. */
export type Plan = {
  readonly id: number;
  readonly fault?: Fault;
  /** Pieces of text, the silence before the first and between two, in milliseconds. */
  readonly chunks: number;
  readonly chunkBytes: number;
  readonly firstMs: number;
  readonly gapMs: number;
  readonly tool: boolean;
  readonly gzip: boolean;
  readonly tokens: Tokens;
};

/** As it stands in a prompt. */
export function planMark(plan: Plan): string {
  return `[[soak:${Buffer.from(JSON.stringify(plan)).toString("base64url")}]]`;
}

/** The plan in a request's body, wherever the dialect has put it. */
export function planIn(body: Buffer): Plan | undefined {
  const start = body.lastIndexOf("[[soak:");
  const end = start === -1 ? -1 : body.indexOf("]]", start);
  if (end === -1) return undefined;
  return JSON.parse(Buffer.from(body.toString("latin1", start + 7, end), "base64url").toString("utf8")) as Plan;
}

export const NO_TOKENS: Tokens = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, cacheWriteLong: 0, reasoning: 0 };

export function addTokens(a: Tokens, b: Tokens): Tokens {
  return Object.fromEntries(TOKEN_KINDS.map((kind) => [kind, a[kind] + b[kind]])) as Tokens;
}

export function sameTokens(a: Tokens, b: Tokens): boolean {
  return TOKEN_KINDS.every((kind) => a[kind] === b[kind]);
}
