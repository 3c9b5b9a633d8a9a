import { ProblemError } from "./problem-reply.ts";

export type Gate = <Result>(work: () => Promise<Result>) => Promise<Result>;

/**
 * Lets `width` works through at once; the others wait in front, in order, and hold nothing that anybody else needs.
 * @throws ProblemError 503 where `maxWaiting` wait already.
 */
export function createGate(width: number, maxWaiting: number): Gate {
  const waiting: (() => void)[] = [];
  let inside = 0;
  return async (work) => {
    if (inside < width) inside += 1;
    else {
      if (waiting.length >= maxWaiting) {
        const detail = "Too many are waiting already: try again.";
        throw new ProblemError("unavailable", detail, { retryable: true, retryAfterMs: 5_000 });
      }
      // Whoever leaves hands his place over.
      await new Promise<void>((enter) => void waiting.push(enter));
    }
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) inside -= 1;
      else next();
    }
  };
}
