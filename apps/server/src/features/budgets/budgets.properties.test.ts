import fc from "fast-check";
import { expect, test } from "vitest";
import type { Reservation } from "../../gateway-types.ts";
import type { BudgetService } from "./service.ts";
import { ask, costing, testBudgets } from "./testing.ts";
import { TokenBucket } from "./token-bucket.ts";

const LIMIT = 1_000;
const CONCURRENCY = 4;

type Open = { readonly reservation: Reservation; readonly worst: number; readonly server: number };
/** What a server has promised or spent, and how much of it the store and the other server know of. */
type Truth = { settled: number; saved: number; published: number; seenByOther: number };

const server = fc.nat(1);
const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("reserve" as const), server, worst: fc.integer({ min: 0, max: 500 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("settle" as const),
      pick: fc.nat(20),
      share: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("exchange" as const), server }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const), server }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const), server }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("jump" as const), ms: fc.integer({ min: -200_000, max: 200_000 }) }),
  },
);

test("whatever happens, spending stays within the limit but for what the servers could not know of each other", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 40, size: "max" }), async (operations) => {
      await using setup = await testBudgets();
      const servers: [BudgetService, BudgetService] = [await setup.server(), await setup.server()];
      await servers[0].put("token", "owner", { totalMicroUsd: LIMIT, concurrency: CONCURRENCY });
      await servers[1].refresh();
      const truth = [newTruth(), newTruth()] as const;
      let open: Open[] = [];
      let lost = 0;
      const of = (index: number): Open[] => open.filter((each) => each.server === index);
      const held = (index: number): number => of(index).reduce((sum, { worst }) => sum + worst, 0);
      const committed = (index: 0 | 1): number => truth[index].settled + held(index);
      const exchange = async (index: 0 | 1): Promise<void> => {
        await servers[index].save();
        truth[index].published = committed(index);
        truth[index].saved = truth[index].settled;
        await servers[index].refresh();
        // What a refresh has to say about long-held reservations goes out with the next exchange, as it would anyway.
        truth[other(index)].seenByOther = truth[other(index)].published;
      };

      for (const op of operations) {
        if (op.do === "jump") setup.clock.wallMs += op.ms;
        else if (op.do === "settle") {
          const one = open[op.pick % Math.max(1, open.length)];
          if (one === undefined) continue;
          open = open.filter((each) => each !== one);
          const cost = op.share === null ? undefined : Math.round(one.worst * op.share);
          one.reservation.settle(cost === undefined ? undefined : costing(cost));
          truth[one.server as 0 | 1].settled += cost ?? 0;
        } else {
          const index = op.server as 0 | 1;
          const own = truth[index];
          if (op.do === "exchange") await exchange(index);
          else if (op.do === "reserve") {
            const admission = ask(servers[index], { cost: op.worst });
            if (!admission.ok) continue;
            open.push({ reservation: admission.reservation, worst: op.worst, server: index });
            expect(of(index).length).toBeLessThanOrEqual(CONCURRENCY);
            if (op.worst === 0) continue;
            const unknown = committed(other(index)) - truth[other(index)].seenByOther;
            expect(committed(0) + committed(1)).toBeLessThanOrEqual(LIMIT + unknown + lost);
          } else {
            if (op.do === "restart") {
              for (const { reservation, worst } of of(index)) {
                reservation.settle(costing(worst));
                own.settled += worst;
              }
              await servers[index].close();
            } else {
              // What it had not written down is gone, together with what was running.
              lost += own.settled - own.saved;
              own.settled = own.saved;
            }
            open = open.filter((each) => each.server !== index);
            servers[index] = await setup.server();
            await servers[index].refresh();
            own.saved = own.settled;
            // The dead one's holds may still be counted: that only makes the others more careful.
            own.published = Math.min(own.published, own.settled);
            own.seenByOther = Math.min(own.seenByOther, own.settled);
            truth[other(index)].seenByOther = Math.min(truth[other(index)].published, committed(other(index)));
          }
        }
      }

      for (const { reservation, worst, server: index } of open) {
        reservation.settle(costing(worst));
        truth[index as 0 | 1].settled += worst;
      }
      for (const index of [0, 1, 0, 1] as const) await exchange(index);
      const total = truth[0].settled + truth[1].settled;
      for (const each of servers) expect(each.get("token", "owner")?.spent?.totalMicroUsd).toBe(total);
      // Nothing is held any more: as much as is left can be had, and all slots are free.
      for (const { reservation } of slots(servers[0])) reservation.settle();
    }),
    { numRuns: 40 },
  );
});

test("alone, a server never lets through more than its limit, whatever the calendar does", async () => {
  await using setup = await testBudgets();
  const budgets = await setup.server();
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 200 }), async (operations) => {
      run += 1;
      const nodes = [{ kind: "token", id: `token-${run}` }];
      await budgets.put("token", `token-${run}`, { totalMicroUsd: LIMIT });
      let open: { reservation: Reservation; worst: number }[] = [];
      let settled = 0;
      for (const op of operations) {
        if (op.do === "jump") setup.clock.wallMs += op.ms * 1_000;
        else if (op.do === "exchange") await budgets.save();
        else if (op.do === "settle") {
          const one = open[op.pick % Math.max(1, open.length)];
          if (one === undefined) continue;
          open = open.filter((each) => each !== one);
          const cost = op.share === null ? 0 : Math.round(one.worst * op.share);
          one.reservation.settle(costing(cost));
          one.reservation.settle(costing(LIMIT));
          settled += cost;
        } else if (op.do === "reserve") {
          const admission = ask(budgets, { nodes, cost: op.worst });
          const held = open.reduce((sum, { worst }) => sum + worst, 0);
          expect(admission.ok).toBe(op.worst === 0 || settled + held + op.worst <= LIMIT);
          if (admission.ok) open.push({ reservation: admission.reservation, worst: op.worst });
        }
      }
      expect(budgets.get("token", `token-${run}`)?.spent?.totalMicroUsd).toBe(settled);
      for (const { reservation } of open) reservation.settle();
    }),
    { numRuns: 100 },
  );
});

test("in no minute does a bucket give more than two minutes' worth, and after a minute it is full again", () => {
  const step = fc.record({ ms: fc.integer({ min: -100_000, max: 100_000 }), amount: fc.integer({ min: 1, max: 200 }) });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.array(step, { maxLength: 100 }), (perMinute, steps) => {
      let now = 0;
      const bucket = new TokenBucket(perMinute, now);
      const taken: { at: number; amount: number }[] = [];
      for (const { ms, amount } of steps) {
        now += ms;
        if (ms < 0) taken.length = 0;
        const wait = bucket.waitFor(amount, now);
        expect(wait).toBeLessThanOrEqual(60_000);
        if (wait > 0) continue;
        taken.push({ at: now, amount: bucket.take(amount) });
        const lately = taken.filter(({ at }) => at > now - 60_000).reduce((sum, each) => sum + each.amount, 0);
        expect(lately).toBeLessThanOrEqual(2 * perMinute + 1e-6);
      }
      bucket.level(now);
      expect(bucket.level(now + 60_000)).toBeCloseTo(perMinute, 6);
    }),
  );
});

function newTruth(): Truth {
  return { settled: 0, saved: 0, published: 0, seenByOther: 0 };
}

function other(index: 0 | 1): 0 | 1 {
  return index === 0 ? 1 : 0;
}

function slots(budgets: BudgetService): { reservation: Reservation }[] {
  return Array.from({ length: CONCURRENCY }, () => {
    const admission = ask(budgets, { cost: 0 });
    if (!admission.ok) throw new Error(admission.message);
    return admission;
  });
}
