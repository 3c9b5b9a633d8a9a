import { RateLimiterMemory } from "rate-limiter-flexible";

/** Within ten minutes; a code lives as long, and there are 20^8 of them. */
const PERIOD_S = 600;
const WRONG_PER_USER = 10;
const WRONG_PER_ADDRESS = 50;

/** RFC 8628, 5.1: how often somebody may be wrong about a user code. Per server. */
export type GuessLimit = {
  mayGuess(userId: string, address: string): Promise<boolean>;
  wrong(userId: string, address: string): Promise<void>;
};

export function createGuessLimit(): GuessLimit {
  const ofUser = new RateLimiterMemory({ points: WRONG_PER_USER, duration: PERIOD_S });
  const ofAddress = new RateLimiterMemory({ points: WRONG_PER_ADDRESS, duration: PERIOD_S });
  return {
    async mayGuess(userId, address) {
      const [user, place] = await Promise.all([ofUser.get(userId), ofAddress.get(address)]);
      return (user?.consumedPoints ?? 0) < WRONG_PER_USER && (place?.consumedPoints ?? 0) < WRONG_PER_ADDRESS;
    },
    async wrong(userId, address) {
      await Promise.all([ofUser.penalty(userId), ofAddress.penalty(address)]);
    },
  };
}
