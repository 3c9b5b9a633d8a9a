/** Two clocks: what the calendar says, which may jump, and what has passed, which may not. Both in milliseconds. */
export type Clock = { readonly wall: () => number; readonly monotonic: () => number };

export const SYSTEM_CLOCK: Clock = { wall: () => Date.now(), monotonic: () => performance.now() };
