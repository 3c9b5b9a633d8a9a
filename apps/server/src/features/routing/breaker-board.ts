import type { BreakerState } from "@loom/api";
import type { LlmFailure } from "@loom/core";
import type { RouteStep, StepOutcome } from "../../gateway-types.ts";
import { BREAKER_OPTIONS, Breaker, type BreakerOptions } from "./breaker.ts";

type Place = Pick<RouteStep, "upstream" | "model">;

/** Those of models that have failed lately; clients name the models. */
const MAX_BREAKERS = 1_000;

/**
 * All circuit breakers: one for each upstream, which minds only whether it can be reached, and one for each of its models,
 * which minds the answers. There is one only while there is a failure to remember.
 */
export class BreakerBoard {
  readonly #breakers = new Map<string, Breaker>();
  readonly #now: () => number;
  readonly #options: BreakerOptions;

  /** `now`: monotonic milliseconds. */
  constructor(now: () => number, options: BreakerOptions = BREAKER_OPTIONS) {
    this.#now = now;
    this.#options = options;
  }

  /** The worse of the two that a step has. */
  view(place: Place): { readonly state: BreakerState; readonly opensInMs: number } {
    const now = this.#now();
    const both = this.#of(place);
    const states = both.map((breaker) => breaker.state(now));
    const state = states.find((each) => each === "open") ?? states.find((each) => each === "half_open") ?? "closed";
    return { state, opensInMs: Math.max(0, ...both.map((breaker) => breaker.opensInMs(now))) };
  }

  /** Whether a request may be sent there now; where it may, an outcome has to follow. */
  enter(place: Place): boolean {
    if (this.#breakers.size === 0) return true;
    const now = this.#now();
    const both = this.#of(place);
    if (both.some((breaker) => breaker.opensInMs(now) > 0)) return false;
    return both.every((breaker) => breaker.enter(now));
  }

  report(place: Place, outcome: StepOutcome): void {
    if (outcome.type === "failed") {
      this.#failed(place, outcome.failure, outcome.reached);
      return;
    }
    if (this.#breakers.size === 0) return;
    const now = this.#now();
    for (const breaker of this.#of(place)) {
      if (outcome.type === "alive") breaker.alive();
      else if (outcome.type === "ok") breaker.ok(now);
      else breaker.left();
    }
    if (outcome.type === "ok") this.#dropIdle(place, now);
  }

  /** The worst of an upstream's breakers. */
  stateOf(upstream: string): BreakerState {
    const now = this.#now();
    let worst: BreakerState = "closed";
    for (const [key, breaker] of this.#breakers) {
      if (key !== upstream && !key.startsWith(`${upstream}/`)) continue;
      const state = breaker.state(now);
      if (state === "open") return "open";
      if (state === "half_open") worst = "half_open";
    }
    return worst;
  }

  #failed(place: Place, failure: LlmFailure, reached: boolean): void {
    const now = this.#now();
    const blame = blameOf(failure, reached);
    const [connection, model] = [this.#breakers.get(place.upstream), this.#breakers.get(modelKey(place))];
    // Whoever gave an answer, whichever, can be reached.
    if (reached) connection?.alive();
    else if (blame !== "connection") connection?.left();
    if (blame !== "model") model?.left();
    if (blame === "connection") (connection ?? this.#add(place.upstream, now)).failed(now);
    else if (blame === "model") (model ?? this.#add(modelKey(place), now)).failed(now);
  }

  #of(place: Place): Breaker[] {
    if (this.#breakers.size === 0) return [];
    const [connection, model] = [this.#breakers.get(place.upstream), this.#breakers.get(modelKey(place))];
    return [...(connection === undefined ? [] : [connection]), ...(model === undefined ? [] : [model])];
  }

  #add(key: string, now: number): Breaker {
    if (this.#breakers.size >= MAX_BREAKERS) this.#makeRoom(now);
    const breaker = new Breaker(this.#options);
    this.#breakers.set(key, breaker);
    return breaker;
  }

  #makeRoom(now: number): void {
    for (const [key, breaker] of this.#breakers) if (breaker.isIdle(now)) this.#breakers.delete(key);
    const [oldest] = this.#breakers.keys();
    if (this.#breakers.size >= MAX_BREAKERS && oldest !== undefined) this.#breakers.delete(oldest);
  }

  #dropIdle(place: Place, now: number): void {
    for (const key of [place.upstream, modelKey(place)]) {
      if (this.#breakers.get(key)?.isIdle(now) === true) this.#breakers.delete(key);
    }
  }
}

function modelKey({ upstream, model }: Place): string {
  return `${upstream}/${model}`;
}

/** What a failure says of: the way there, the model, or neither, as where the request or a key is wrong. */
function blameOf({ code, status = 500 }: LlmFailure, reached: boolean): "connection" | "model" | undefined {
  switch (code) {
    case "network":
    case "timeout":
      if (!reached) return "connection";
      return status >= 500 ? "model" : undefined;
    case "overloaded":
    case "invalid_response":
      return status >= 500 || code === "invalid_response" ? "model" : undefined;
    default:
      return undefined;
  }
}
