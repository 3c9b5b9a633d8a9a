/**
 * The money of one node in one period, in micro-dollars: what this process knows of it. What the store has is as old as
 * the last exchange with it; what happened here since then counts in addition.
 */
export class MoneyCounter {
  readonly kind: string;
  readonly id: string;
  readonly period: string;
  /** Settled, by all processes, as the store last said. */
  spent = 0;
  /** Reserved by other processes, as the store last said. */
  heldElsewhere = 0;
  /** Reserved here. */
  reserved = 0;
  /** Settled here and not yet on its way to the store. */
  unsaved = 0;
  /** On its way to the store. */
  saving = 0;
  /** Whether it waits to be told to the store. */
  isDirty = false;
  /** What the store believes is reserved here, and when that was said (monotonic milliseconds). */
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

  /** What can no longer be promised to anybody. */
  get committed(): number {
    return this.spent + this.saving + this.unsaved + this.reserved + this.heldElsewhere;
  }

  get isIdle(): boolean {
    return this.reserved === 0 && this.unsaved === 0 && this.saving === 0 && this.savedHold === 0;
  }
}
