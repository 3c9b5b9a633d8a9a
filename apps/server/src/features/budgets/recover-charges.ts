import type { BudgetEngine } from "./engine.ts";
import type { LostCharge } from "./service.ts";
import type { BudgetStore, CounterChange, HoldLease } from "./store.ts";

/** Exchanges that are told in the name of a process that has died come after all of its own. */
const RECOVERED = 2 ** 52;
/** More than requests of a fifth of a second ever are charged to. */
const BATCH = 4_000;

export type Recovery = {
  readonly store: BudgetStore;
  readonly engine: BudgetEngine;
  readonly process: string;
  readonly charges: readonly LostCharge[];
  readonly lease: HoldLease;
};

/** Tells the store, in the dead process's name, what it did not come to tell. An exchange that is known counts no more. */
export async function recoverCharges({ store, engine, process, charges, lease }: Recovery): Promise<void> {
  const sequence = await store.sequenceOf(process);
  if (sequence < RECOVERED) {
    const untold = charges.filter(({ toldWith }) => toldWith === undefined || toldWith > sequence);
    const changes = changesOf(untold, engine);
    for (let start = 0; start < changes.length; start += BATCH) {
      const part = { process, sequence: RECOVERED + start, changes: changes.slice(start, start + BATCH), lease };
      await store.exchange(part, { waits: true });
    }
  }
  await store.releaseHolds(process);
}

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
  return [...changes.values()];
}
