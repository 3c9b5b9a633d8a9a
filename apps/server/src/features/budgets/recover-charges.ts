import type { BudgetEngine } from "./engine.ts";
import { RECOVERED } from "./exchange.ts";
import type { LostCharge } from "./service.ts";
import type { BudgetStore, CounterChange } from "./store.ts";

/** What the store takes at once. */
const BATCH = 500;
/**
 * The number of a part says also which exchange was the process's own last one: whoever has to do it again charges the
 * same. More than 2 million counters do not come together, nor 2^40 exchanges.
 */
const PARTS = 4_096;

export type Recovery = {
  readonly store: BudgetStore;
  readonly engine: BudgetEngine;
  readonly process: string;
  readonly charges: readonly LostCharge[];
  readonly leaseMs: number;
};

/** Tells the store, in the dead process's name, what it did not come to tell. An exchange that is known counts no more. */
export async function recoverCharges({ store, engine, process, charges, leaseMs }: Recovery): Promise<void> {
  const last = await store.sequenceOf(process);
  const own = last < RECOVERED ? last : Math.floor((last - RECOVERED) / PARTS);
  const untold = charges.filter(({ toldWith }) => toldWith === undefined || toldWith > own);
  const changes = changesOf(untold, engine);
  for (let start = 0, sequence = RECOVERED + own * PARTS; start < changes.length; start += BATCH, sequence += 1) {
    if (sequence <= last) continue;
    const part = { process, sequence, changes: changes.slice(start, start + BATCH), leaseMs };
    await store.exchange(part, { waits: true });
  }
  await store.releaseHolds(process);
}

/** In an order of their own. */
function changesOf(charges: readonly LostCharge[], engine: BudgetEngine): CounterChange[] {
  const changes = new Map<string, CounterChange>();
  for (const { at, nodes, model, session, costMicroUsd } of charges) {
    if (costMicroUsd === 0) continue;
    const request = { nodes, model, ...(session === undefined ? {} : { session }) };
    for (const key of engine.countersAt(request, at)) {
      const name = JSON.stringify([key.kind, key.id, key.period]);
      const before = changes.get(name)?.addSpent ?? 0;
      const nothingHeld = { inUse: 0, hold: 0, limit: undefined, need: undefined };
      changes.set(name, { ...key, addSpent: before + costMicroUsd, ...nothingHeld });
    }
  }
  return [...changes].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, change]) => change);
}
