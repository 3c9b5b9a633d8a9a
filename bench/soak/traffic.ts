import { FAULTS, type Fault, type Plan, type Tokens } from "./plan.ts";
import { WAYS, type Way } from "./ways.ts";

/** What the client does besides reading the answer. */
export type Manner = "patient" | "leaves before the answer" | "leaves in the middle" | "reads slowly";

export type Wish = {
  readonly plan: Plan;
  readonly way: Way;
  readonly stream: boolean;
  readonly manner: Manner;
  readonly promptBytes: number;
  /** Name of the token that asks. */
  readonly token: string;
};

/** Names of tokens, the one that bears everything more often than the others. */
export const TOKENS = ["owner", "team", "team", "team", "crew", "crew", "broke", "hurried", "narrow", "picky"] as const;

const FAULT_SHARE = 0.15;
const BIG_PROMPT = 256 * 1024;

/** The same seed makes the same requests in the same order. */
export function createTraffic(seed: number): (id: number) => Wish {
  const chance = random(seed);
  const below = (count: number): number => Math.floor(chance() * count);
  const pick = <Item>(items: readonly Item[]): Item => items[below(items.length)] as Item;

  const tokens = (): Tokens => {
    const cacheWrite = below(3) === 0 ? below(500) : 0;
    const output = 1 + below(400);
    return {
      input: 1 + below(2_000),
      output,
      cacheRead: below(3) === 0 ? below(5_000) : 0,
      cacheWrite,
      cacheWriteLong: below(cacheWrite + 1),
      reasoning: below(4) === 0 ? below(output) : 0,
    };
  };
  const mannerOf = (): Manner => {
    const drawn = chance();
    if (drawn < 0.06) return "leaves before the answer";
    if (drawn < 0.12) return "leaves in the middle";
    return drawn < 0.14 ? "reads slowly" : "patient";
  };
  return (id) => {
    const way = pick(WAYS);
    const manner = mannerOf();
    const stream = manner === "leaves in the middle" || manner === "reads slowly" || below(3) > 0;
    const fault = manner === "patient" && chance() < FAULT_SHARE ? pick<Fault>(FAULTS) : undefined;
    // Ten megabytes each: rarely.
    const rare = fault === "no-newline" && below(4) > 0 ? undefined : fault;
    const slow = manner === "reads slowly";
    const plan: Plan = {
      id,
      ...(rare === undefined ? {} : { fault: rare }),
      chunks: slow ? 200 : manner === "leaves in the middle" ? 200 : 5 + below(30),
      chunkBytes: slow ? 20_000 : 50,
      firstMs: manner === "leaves before the answer" ? 1_500 : below(50),
      gapMs: slow ? 0 : manner === "leaves in the middle" ? 20 : below(15),
      tool: below(3) === 0,
      gzip: rare === undefined && manner === "patient" && below(12) === 0,
      tokens: tokens(),
    };
    return { plan, way, stream, manner, promptBytes: below(20) === 0 ? BIG_PROMPT : 200, token: pick(TOKENS) };
  };
}

/** Mulberry32: small, and good enough to draw a mixture. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
