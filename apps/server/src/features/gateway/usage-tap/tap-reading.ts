import type { Usage } from "@loom/core";

/** What was seen of an answer while its bytes went by. */
export type TapReading = {
  readonly usage: Usage;
  /** Whether the provider itself said what the answer used. */
  readonly counted: boolean;
  /** The model that answered, as the provider names it. */
  readonly model: string | undefined;
  /** Whether the answer came to its own end. */
  readonly complete: boolean;
  /** Whether the counts are those of a whole answer: in a stream, no text stands beside a count of none. */
  readonly final: boolean;
  /** Whether the last that the provider said is that it failed. */
  readonly failed: boolean;
  /** The last events of a stream, or the last item of a list, as text, where they may be the provider's word that it failed. */
  readonly lastEvents?: string;
  /** A document that is an error and may be nothing else, as text. */
  readonly error?: string;
  /** A whole document in which nothing says that it is an answer. */
  readonly foreign?: true;
  /** About how much text was in it, in bytes; for an estimate where nothing was counted. */
  readonly textBytes: number;
};

/** Watches the bytes of an answer on their way; changes nothing and never throws. */
export type UsageTap = {
  push(chunk: Buffer): void;
  /** Whether the very last of it is there, and not only what ends the text. */
  isSealed(): boolean;
  /**
   * Whether it was said why the answer stops, and with that or behind it what it used: nothing of it is missing but a mark.
   * Never of a stream in which the model went on behind such a reason.
   */
  isFinished(): boolean;
  read(): TapReading;
};

/** An error in bytes at most: what is longer is an answer, whatever it holds. */
export const MAX_ERROR = 256 * 1024;
