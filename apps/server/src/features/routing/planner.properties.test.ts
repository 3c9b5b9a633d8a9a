import type { RouteDefinition } from "@loom/api";
import fc from "fast-check";
import { expect, test } from "vitest";
import { planSteps } from "./planner.ts";
import { faultsOf, type NamedRoute, RouteTable } from "./route-table.ts";

const PROVIDERS = new Set(["anthropic", "openai", "vertex"]);
const NAMES = ["default", "fast", "oracle", "a", "b", "c", "d", "e", "claude-*", "*"];

const target = fc.record(
  {
    target: fc.oneof(
      fc.constantFrom(...NAMES.filter((name) => !name.includes("*"))),
      fc.tuple(fc.constantFrom(...PROVIDERS), fc.constantFrom("m1", "m2", "claude-x")).map(([p, m]) => `${p}/${m}`),
    ),
    weight: fc.integer({ min: 1, max: 1_000 }),
  },
  { requiredKeys: ["target"] },
);
const tiers = fc.array(fc.array(target, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 });
const definition: fc.Arbitrary<RouteDefinition> = fc.record(
  {
    tiers,
    variants: fc.array(fc.record({ for: fc.constant({ dialects: ["chat" as const] }), tiers }), { maxLength: 2 }),
    timeouts: fc.constant({ gap: 5 }),
  },
  { requiredKeys: ["tiers"] },
);
/** Also those that nobody could write: with circles, dangling aliases, any depth. */
const routes: fc.Arbitrary<NamedRoute[]> = fc.uniqueArray(fc.record({ name: fc.constantFrom(...NAMES), definition }), {
  selector: ({ name }) => name,
  maxLength: NAMES.length,
});

const request = fc.record({
  model: fc.constantFrom(...NAMES, "claude-x", "other"),
  key: fc.string(),
  nodes: fc.constant([]),
  dialect: fc.constantFrom("chat" as const, "anthropic" as const, undefined),
});

function plan(own: readonly NamedRoute[], asked: Parameters<typeof planSteps>[0]) {
  return planSteps(asked, {
    table: new RouteTable(own),
    isProvider: (name) => PROVIDERS.has(name),
    straight: (alias) => ({ upstream: "anthropic", model: alias === "fast" ? "m1" : "m2", reason: "alias" }),
  });
}

test("every plan ends, asks nobody twice, and names only providers and models", () => {
  fc.assert(
    fc.property(routes, request, (own, asked) => {
      const steps = plan(own, asked)?.steps ?? [];
      const ids = steps.map(({ upstream, model }) => `${upstream}/${model}`);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids.length).toBeLessThanOrEqual(32);
      for (const { upstream, model } of steps) {
        expect(PROVIDERS).toContain(upstream);
        expect(["m1", "m2", "claude-x"]).toContain(model);
      }
    }),
  );
});

test("a session gets the same plan whenever it asks", () => {
  fc.assert(
    fc.property(routes, request, (own, asked) => {
      expect(plan(own, asked)).toEqual(plan(own, asked));
    }),
  );
});

test("routes without a fault lead somewhere, and never in a circle", () => {
  fc.assert(
    fc.property(routes, request, (own, asked) => {
      fc.pre(faultsOf(own, PROVIDERS).length === 0);
      const planned = plan(own, asked);
      if (planned !== undefined) expect(planned.steps.length).toBeGreaterThan(0);
    }),
  );
});

test("tiers are kept in their order", () => {
  fc.assert(
    fc.property(fc.string(), (key) => {
      const own = [
        {
          name: "oracle",
          definition: {
            tiers: [
              [
                { target: "anthropic/m1", weight: 70 },
                { target: "vertex/m1", weight: 30 },
              ],
              [{ target: "openai/m2" }],
            ],
          },
        },
      ];
      const steps = plan(own, { model: "oracle", key, nodes: [], dialect: "chat" })?.steps ?? [];
      expect(
        steps
          .map(({ upstream }) => upstream)
          .slice(0, 2)
          .sort(),
      ).toEqual(["anthropic", "vertex"]);
      expect(steps[2]).toMatchObject({ upstream: "openai", model: "m2", reason: "alias oracle" });
      expect(steps[0]?.reason).toMatch(/^alias oracle, weight (70|30) of 100$/);
    }),
  );
});
