import type { LlmFailure, Usage } from "@loom/core";
import type { RawOutgoing } from "../../kit/raw-exchange.ts";
import type { UpstreamHeaders } from "./transport.ts";
import type { ReadRefusal } from "./upstream-errors.ts";

/** What an answer used, as far as it is known. */
export type Answered = {
  readonly usage: Usage | undefined;
  /** Whether the provider itself said so, of the whole answer. */
  readonly final: boolean;
  readonly model: string | undefined;
  /** About how much text was in it. */
  readonly textBytes: number;
};

/** How an upstream's answer gets to the client. */
export type Delivery = {
  /** Whether anything went to the client; from then on nobody else can answer. */
  readonly sent: boolean;
  /**
   * Whether the answer has come to its own end, though that be an error, whatever happens to the connection: `onEnd` completes
   * it, and nobody else is asked.
   */
  isWhole(): boolean;
  onHead(status: number, headers: UpstreamHeaders): void;
  onChunk(chunk: Buffer): void;
  onEnd(trailers: UpstreamHeaders): void;
  /** Ends the client's answer, of which something was sent, so that it is not taken for a whole one. */
  broken(failure: LlmFailure): void;
  /**
   * What was used, of an answer that is not delivered to its end; `undefined` where there was none. Called once, and at
   * once: whoever asks may have no time left.
   */
  read(): Answered | undefined;
};

/** Whoever says when he takes more. */
export type Drained = { once(event: "drain", listener: () => void): unknown };

/** What a delivery needs of the exchange that it belongs to. */
export type DeliveryHost = {
  readonly outgoing: RawOutgoing;
  readonly keepAliveMs: number;
  /** What the key that was sent to the upstream looks like, in plain and otherwise. */
  readonly secrets: readonly string[];
  /** Takes what is secret out of a text. */
  redact(text: string): string;
  /** Headers of ours. */
  headers(): { readonly [name: string]: string };
  /**
   * Until the client takes more, or `until` does, which says so by `drain`. Where it is waited for several, until the last
   * of them does.
   */
  pause(until?: Drained): void;
  /** `after` will not say `drain`, and is not waited for any more. */
  resume(after: Drained): void;
  firstByte(): void;
  /** What came was no event, as a comment is none: the first one is waited for no longer for it. */
  awaitEvent(): void;
  /**
   * This attempt is over; what was sent of it, if anything, ends as broken. `isOfModel`: whether what came may be of a model
   * that was at work, and may be billed, which is the default.
   */
  failed(failure: LlmFailure, options?: { readonly isOfModel: boolean }): void;
  /** The upstream refused by its answer, of which nothing was sent. `answered`: what it says that it counts for it. */
  refused(refusal: ReadRefusal, answered?: Answered): void;
  /** As it may be said to a client. */
  explained(failure: LlmFailure): LlmFailure;
  /** A stream began with this. Whether somebody else is asked instead; otherwise the client gets what came. */
  refusedInBand(failure: LlmFailure): boolean;
  /** The client's answer has been ended. No `answered`: the provider refused, and nothing came of it. */
  finished(outcome: "completed" | "cut_off" | "failed", answered: Answered | undefined, failure?: LlmFailure): void;
  /**
   * What came last is the end of an answer, though not yet of its body. `isSealed`: nothing comes behind it; otherwise, it
   * only looks as if nothing did, and that is waited for a little longer.
   */
  expectEnd(options: { readonly isSealed: boolean }): void;
  /** The upstream may say what it likes, nobody listens. */
  leave(): void;
};
