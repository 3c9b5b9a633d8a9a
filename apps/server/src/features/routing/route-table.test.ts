import { describe, expect, test } from "vitest";
import { planSteps } from "./planner.ts";
import { faultsOf, type NamedRoute, newFaults, RouteTable } from "./route-table.ts";

const PROVIDERS = new Set(["anthropic", "openai"]);

function to(name: string, ...targets: string[]): NamedRoute {
  return { name, definition: { tiers: targets.map((target) => [{ target }]) } };
}

function steps(own: readonly NamedRoute[], model: string, more: object = {}) {
  const planned = planSteps(
    { model, key: "", nodes: [], dialect: "chat", ...more },
    {
      table: new RouteTable(own),
      isProvider: (name) => PROVIDERS.has(name),
      straight: (alias) => ({ upstream: "openai", model: `${alias}-of-openai`, reason: "" }),
    },
  );
  return planned?.steps.map(({ upstream, model: name, reason }) => `${upstream}/${name} (${reason})`);
}

describe("what is wrong with routes", () => {
  test.each([
    ["a circle", [to("a", "b"), to("b", "c"), to("c", "a")], /goes in a circle: a > b > c > a/],
    ["itself", [to("a", "a")], /goes in a circle: a > a/],
    ["oracle, which is default without a route", [to("default", "oracle")], /circle/],
    [
      "a chain that is too long",
      [to("a", "b"), to("b", "c"), to("c", "d"), to("d", "e"), to("e", "openai/m")],
      /more than 4 deep/,
    ],
    ["an unknown provider", [to("a", "acme/m")], /no provider acme: use one of anthropic, openai/],
    ["an unknown alias", [to("a", "nobody")], /nobody, which is no alias/],
    ["a name with a space", [to("a b", "openai/m")], /no name of an alias/],
  ])("%s is said", (_what, own, message) => {
    expect(faultsOf(own, PROVIDERS)[0]?.message).toMatch(message);
  });

  test("is nothing where aliases meet again", () => {
    const own = [to("a", "b", "c"), to("b", "d"), to("c", "d"), to("d", "openai/m", "fast"), to("x/*", "a")];
    expect(faultsOf(own, PROVIDERS)).toEqual([]);
  });

  test("is found at once where aliases fan out", () => {
    const names = Array.from({ length: 4 }, (_, level) => Array.from({ length: 16 }, (_each, at) => `n${level}-${at}`));
    const own = names.flatMap((level, depth) =>
      level.map((name) => to(name, ...(names[depth + 1] ?? ["openai/m"]), "openai/m")),
    );
    expect(faultsOf(own, PROVIDERS)).toEqual([]);
    expect(steps(own, "n0-0")).toEqual(["openai/m (alias n0-0 > n1-0 > n2-0 > n3-0)"]);
  });
});

describe("a change", () => {
  const broken = [to("a", "acme/m"), to("b", "lab/m"), to("x", "y"), to("y", "x")];
  const found = (after: readonly NamedRoute[]) =>
    newFaults(broken, after, PROVIDERS).map(({ name, message }) => `${name} ${message}`);

  test("is not to blame for what was wrong before", () => {
    expect(faultsOf(broken, PROVIDERS).map(({ name }) => name)).toEqual(["a", "b", "x", "y"]);
    expect(found(broken.slice(1))).toEqual([]);
    expect(found([...broken, to("c", "openai/m")])).toEqual([]);
    expect(found([...broken.slice(0, 3), to("y", "openai/m")])).toEqual([]);
  });

  test("is to blame for what it breaks", () => {
    expect(found([...broken.slice(1), to("a", "none/m")])).toEqual([expect.stringMatching(/^a .* no provider none/)]);
    expect(found([...broken, to("c", "x")])).toEqual(["c goes in a circle: c > x > y > x"]);
    expect(found(broken.slice(0, 3))).toEqual([expect.stringMatching(/^x has the target y, which is no alias/)]);
  });
});

describe("the number of routes", () => {
  const many = (count: number) => Array.from({ length: count }, (_, at) => to(`r${at}`, "openai/m"));
  const found = (before: readonly NamedRoute[], after: readonly NamedRoute[]) =>
    newFaults(before, after, PROVIDERS).map(({ name }) => name);

  test("is 500 at most, wherever the new one stands among them", () => {
    expect(found(many(499), many(500))).toEqual([]);
    expect(found(many(500), [...many(500), to("new", "openai/m")])).toEqual(["new"]);
    expect(found(many(500), [to("new", "openai/m"), ...many(500)])).toEqual(["new"]);
    expect(found([], many(501))).toEqual(["r500"]);
  });

  test("grows no further where there are more already, which can be changed and taken away", () => {
    expect(found(many(510), [to("new", "openai/m"), ...many(510)])).toEqual(["new"]);
    expect(found(many(510), [...many(510).slice(1), to("r0", "openai/other")])).toEqual([]);
    expect(found(many(510), many(509))).toEqual([]);
  });
});

describe("the route of a model", () => {
  const own = [
    to("claude-*", "openai/pattern"),
    to("claude-opus-*", "openai/longer"),
    to("claude-opus-5", "openai/own"),
  ];

  test.each([
    ["claude-opus-5", ["openai/own (alias claude-opus-5)"]],
    ["claude-opus-4", ["openai/longer (route claude-opus-*)"]],
    ["claude-x", ["openai/pattern (route claude-*)"]],
    ["gpt", undefined],
    ["anthropic/claude-x", undefined],
  ])("%s is its own, else the longest pattern that fits", (model, expected) => {
    expect(steps(own, model)).toEqual(expected);
  });

  test("is not a pattern's where it is an alias", () => {
    expect(steps([to("*", "openai/any")], "fast")).toBeUndefined();
    expect(steps([to("*", "openai/any")], "model")).toEqual(["openai/any (route *)"]);
  });

  test("oracle is that of default where it has none", () => {
    expect(steps([to("default", "anthropic/m")], "oracle")).toEqual(["anthropic/m (alias oracle)"]);
    expect(steps([to("smart", "oracle")], "smart")).toEqual(["openai/oracle-of-openai (alias smart > oracle)"]);
  });

  test("is for those that it names", () => {
    const forSome: NamedRoute = {
      name: "default",
      definition: {
        tiers: [],
        variants: [
          { for: { subjects: ["token/ci"], dialects: ["chat"] }, tiers: [[{ target: "openai/cheap" }]] },
          { for: { subjects: ["token/ci", "token/owner"] }, tiers: [[{ target: "openai/dear" }]] },
        ],
      },
    };
    const asked = (id: string, dialect: string) =>
      steps([forSome], "default", { nodes: [{ kind: "token", id }], dialect });
    expect(asked("ci", "chat")).toEqual(["openai/cheap (alias default)"]);
    expect(asked("ci", "gemini")).toEqual(["openai/dear (alias default)"]);
    expect(asked("owner", "chat")).toEqual(["openai/dear (alias default)"]);
    expect(asked("other", "chat")).toBeUndefined();
  });
});
