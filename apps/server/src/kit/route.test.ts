import { api } from "@loom/api";
import { expect, test } from "vitest";
import { route } from "./route.ts";
import { OWNER } from "./subject.ts";

const health = () => ({ status: "ok" }) as const;

test("a route without an action or a resource does not compile", () => {
  // @ts-expect-error: neither
  route(api.system.healthz, {}, health);
  // @ts-expect-error: no action
  route(api.system.healthz, { resource: { type: "system" } }, health);
  // @ts-expect-error: no resource
  route(api.system.healthz, { action: "read" }, health);
  // @ts-expect-error: a parameter that is not in the path
  route(api.system.healthz, { action: "read", resource: ({ name }) => ({ type: "model", id: name }) }, health);
  // @ts-expect-error: an answer that is not in the contract
  route(api.system.healthz, { action: "read", resource: { type: "system" } }, () => ({ status: "fine" }));
});

test("a resource can be made of what the path names", () => {
  const { resourceOf, action } = route(
    api.llm.stream,
    { action: "use", resource: ({ provider }) => ({ type: "model", id: provider }) },
    () => undefined,
  );
  expect([action, resourceOf({ provider: "openai" }, OWNER)]).toEqual(["use", { type: "model", id: "openai" }]);
});
