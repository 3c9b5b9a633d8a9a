import { drained } from "./shared-rates.ts";

/**
 * The money of one node in one period, in micro-dollars, or a rate of its (`shared-rates.ts`): what this process knows of it. A limited counter lends each
 * process a slice of what is left; requests are let in from the slice, in memory. What the store has is as old as the
 * last exchange with it; what happened here since then counts in addition.
 */
export class MoneyCounter {
  readonly kind: string;
  readonly id: string;
  readonly period: string;
  /** Settled, by all processes, as the store last said. */
  spent = 0;
  /** Set aside for other processes, as the store last said, and how much of that no request of theirs holds. */
  heldElsewhere = 0;
  slackElsewhere = 0;
  /** Reserved here. */
  reserved = 0;
  /** Settled here and not yet on its way to the store. */
  unsaved = 0;
  /** On its way to the store. */
  saving = 0;
  /** Taken here and not used after all, as of a rate: not yet on its way to the store, and on its way. */
  returned = 0;
  returning = 0;
  /** Of what is spent, so much drains in a millisecond; 0 for money. `spentAt`: when it was so much. */
  drainPerMs = 0;
  spentAt = 0;
  /** Whether it waits to be told to the store. */
  isDirty = false;
  /** The slice: what the store keeps for this process, for what is reserved, settled and not yet saved, or free. */
  leased = 0;
  /** The limit that the slice was cut from. */
  leasedOf: number | undefined;
  /** Monotonic milliseconds until which the slice is certainly still ours. */
  leasedUntil = 0;
  /** What the store last had left beside all slices, when, and until when (monotonic milliseconds) that is worth something. */
  left = 0;
  leftAt = 0;
  leftUntil = 0;
  /** When a request last took from the slice (monotonic milliseconds). */
  usedAt = 0;
  /** While other processes are short of this money, no more is taken than is needed (monotonic milliseconds). */
  frugalUntil = 0;
  /** What the store believes is held here, and when that was said (monotonic milliseconds). */
  savedHold = 0;
  savedAt = 0;

  constructor(kind: string, id: string, period: string) {
    this.kind = kind;
    this.id = id;
    this.period = period;
  }

  /** Settled costs, those of this process to the last. */
  get settled(): number {
    return this.spent + this.saving + this.unsaved;
  }

  /** Of a rate: what is spent and has not drained yet. What came back counts for others once the store knows it. */
  used(now: number): number {
    const spent = drained(this.spent, this.drainPerMs, now - this.spentAt);
    return Math.max(0, spent + this.saving + this.unsaved - this.returning - this.returned);
  }

  /** What can no longer be promised to anybody, as far as this process knows. */
  get committed(): number {
    return this.settled + this.reserved + this.heldElsewhere;
  }

  /** Of the slice. Negative where requests cost more than they were let in for. */
  get slack(): number {
    return this.leased - this.reserved - this.saving - this.unsaved;
  }

  /** What can be promised here and now. A slice of another limit, or one that may have lapsed, is worth nothing. */
  free(limit: number, now: number): number {
    return this.leasedOf === limit && now < this.leasedUntil ? Math.max(0, this.slack) : 0;
  }

  /** Whether the store would certainly refuse. */
  isExhausted(need: number, limit: number, now: number): boolean {
    if (this.leasedOf !== limit || now >= this.leftUntil) return false;
    const left = Math.ceil(this.left + this.drainPerMs * (now - this.leftAt));
    return need > this.free(limit, now) + Math.max(0, left);
  }

  /** What the store should set aside when `saving` is told: at least what runs. */
  get hold(): number {
    return Math.max(this.reserved, this.leased - this.saving);
  }

  giveBackSlack(): void {
    if (this.slack > 0) this.leased -= this.slack;
    this.leftUntil = 0;
  }

  get isIdle(): boolean {
    const isQuiet = this.reserved === 0 && this.unsaved === 0 && this.saving === 0;
    return isQuiet && this.returned === 0 && this.returning === 0 && this.leased === 0 && this.savedHold === 0;
  }
}
