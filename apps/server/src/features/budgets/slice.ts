/** Of what is left, so much is taken at a time where nobody is short. */
const SHARE = 8;

export type SliceQuestion = {
  /** `undefined`: nothing is limited, and nothing is lent. */
  readonly limit: number | undefined;
  /** Settled by all, and held by the others. */
  readonly gone: number;
  /** What requests hold here: they run, whatever is left. */
  readonly inUse: number;
  /** The slice as it should stay. */
  readonly hold: number;
  readonly need: SliceNeed | undefined;
};

export type SliceNeed = {
  /** Of all requests that wait, and of the smallest of them. */
  readonly total: number;
  readonly least: number;
  /** Others are short: nothing in advance. */
  readonly frugal: boolean;
  /** In advance, only whole ones of these are lent. */
  readonly unit: number;
};

/**
 * How much is set aside for one process, in micro-dollars. However many ask, `gone` and what is set aside stay within the
 * limit, but for requests that turned out more expensive than their worst case. Large slices spare questions; the less is
 * left the smaller they are, in the end single requests.
 */
export function sliceOf({ limit, gone, inUse, hold, need }: SliceQuestion): number {
  if (limit === undefined) return inUse;
  const room = limit - gone;
  const kept = Math.max(inUse, Math.min(hold, room));
  if (need === undefined || room - inUse < need.least) return kept;
  const ahead = need.frugal ? 0 : Math.floor((room - inUse) / SHARE / need.unit) * need.unit;
  return Math.max(kept, Math.min(room, inUse + Math.max(need.total, ahead)));
}
