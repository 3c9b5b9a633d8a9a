import type { CredentialState } from "@loom/api";
import type { CredentialOutcome } from "../../gateway-types.ts";
import { hashText } from "./rendezvous.ts";

export type RequestHeaders = Readonly<Record<string, string>>;

/** Where a credential's headers come from. */
export type HeaderSource = {
  /** A promise only where a token has to be fetched first. */
  headers(): RequestHeaders | Promise<RequestHeaders>;
  /** The provider has refused what `headers` gave. Says whether the next headers will be others. */
  refused(): boolean;
  /** Of a source that judges for itself. */
  report?(outcome: CredentialOutcome): void;
};

/** In Unix milliseconds: what survives a restart, and what people are shown. */
export type Standing = {
  readonly state: CredentialState;
  readonly reason: string | undefined;
  readonly since: number | undefined;
  readonly until: number | undefined;
};

/** The reason of one that cools down because its quota is used up. */
export const QUOTA_USED_UP = "Its quota at the provider is used up.";

export const GOOD_STANDING: Standing = { state: "available", reason: undefined, since: undefined, until: undefined };

/** What somebody has decided about a credential. */
export function decided(enabled: boolean, since: number): Standing {
  if (enabled) return GOOD_STANDING;
  return { state: "disabled", reason: "It was disabled by hand.", since, until: undefined };
}

export type MemberOptions = {
  readonly id: string;
  readonly upstream: string;
  readonly weight: number;
  readonly source: HeaderSource;
  /** No credential that could be used up or refused: a server that wants none. It is never taken out. */
  readonly keyless?: boolean;
};

/** One credential in the pool. */
export class PoolMember {
  readonly id: string;
  readonly upstream: string;
  readonly keyless: boolean;
  /** For `attraction`. */
  readonly place: number;
  weight: number;
  source: HeaderSource;
  /** Grows with every new secret: what is reported about an older one says nothing any more. */
  generation = 0;
  standing: Standing = GOOD_STANDING;
  /** Monotonic milliseconds; cools down until then. */
  coolUntil = 0;
  /** Failures in a row that may have been its own. */
  failures = 0;
  /** Monotonic milliseconds; until then, others are preferred. */
  restUntil = 0;
  inFlight = 0;
  /** For the smooth weighted round-robin. */
  turn = 0;

  constructor({ id, upstream, weight, source, keyless = false }: MemberOptions) {
    this.id = id;
    this.upstream = upstream;
    this.keyless = keyless;
    this.place = hashText(id);
    this.weight = weight;
    this.source = source;
  }

  /** `now`: monotonic milliseconds. */
  state(now: number): CredentialState {
    if (this.standing.state === "disabled") return "disabled";
    return this.coolUntil > now ? "cooling_down" : "available";
  }
}
