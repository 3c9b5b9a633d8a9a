/** What a test asks through an SDK; each SDK says it in its own words. */
export type Ask = {
  readonly model: string;
  readonly prompt: string;
  readonly stream: boolean;
  readonly withImage?: boolean;
  readonly withTools?: boolean;
  readonly withThinking?: boolean;
  /** The answer has to be `FORECAST_SCHEMA`. */
  readonly withSchema?: boolean;
  readonly signal?: AbortSignal;
  /** Called with each piece of a streamed text. */
  readonly onText?: (piece: string) => void;
};

export type Call = { readonly id: string; readonly name: string; readonly input: unknown };

/** What the SDK made of the answer. */
export type Heard = {
  readonly text: string;
  readonly thinking: string;
  readonly calls: readonly Call[];
  readonly stop: "end" | "tools" | "length";
  readonly usage: {
    /** With what was read from a cache. */
    readonly input: number;
    readonly output: number;
    readonly cacheRead: number;
  };
  /** Events of the stream that carried arguments of tools. */
  readonly argumentPieces: number;
  /** Sends the results of all calls back, with everything that the answer held, and asks on. */
  reply(resultOf: (call: Call) => string): Promise<Heard>;
};

/** One surface of one official SDK. */
export type SdkClient = {
  ask(ask: Ask): Promise<Heard>;
  models(): Promise<readonly string[]>;
  /** Absent: the surface cannot count. */
  countTokens?(model: string, prompt: string): Promise<number>;
};

/** Where a client is pointed, and what it is given in place of a provider's key. */
export type Access = { readonly baseUrl: string; readonly token: string };

export const MAX_TOKENS = 4_096;

export const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

export const WEATHER_TOOL = {
  name: "get_weather",
  description: "Tells the weather of a city.",
  schema: { type: "object" as const, properties: { city: { type: "string" } }, required: ["city"] },
};

export const TIME_TOOL = {
  name: "get_time",
  description: "Tells the time of a zone.",
  schema: { type: "object" as const, properties: { zone: { type: "string" } }, required: ["zone"] },
};

export const TOOLS = [WEATHER_TOOL, TIME_TOOL];

export const FORECAST_SCHEMA = {
  type: "object" as const,
  properties: { city: { type: "string" }, degrees: { type: "integer" } },
  required: ["city", "degrees"],
  additionalProperties: false,
};

/** The one of ours for a word of a dialect; a word that is not in the table is a failure of the gateway. */
export function stopOf<Word extends string>(table: Record<Word, Heard["stop"]>, word: unknown): Heard["stop"] {
  const stop = Object.entries(table).find(([known]) => known === word)?.[1];
  if (stop === undefined) throw new Error(`No word of this dialect for the end of an answer: ${String(word)}`);
  return stop as Heard["stop"];
}
