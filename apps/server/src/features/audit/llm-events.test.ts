import { NO_USAGE } from "@loom/core";
import { describe, expect, it } from "vitest";
import type { BudgetNode, LedgerEntry } from "../../gateway-types.ts";
import type { AuditEntry } from "./audit-entry.ts";
import { withLlmEvents } from "./llm-events.ts";

describe("who asked, by the nodes that are charged", () => {
  const key: BudgetNode = { kind: "api_key", id: "key-1" };
  const person: BudgetNode = { kind: "user", id: "user-1" };
  const organization: BudgetNode = { kind: "organization", id: "org-1" };
  it.each([
    ["a person", [person, organization], { type: "user", id: "user-1" }],
    ["a person's key", [key, person, organization], { type: "user", id: "user-1", via: { type: "key", id: "key-1" } }],
    ["an organization's key", [key, organization], { type: "organization_key", id: "key-1" }],
    ["a token", [{ kind: "token", id: "token-1" }], { type: "token", id: "token-1" }],
    ["the owner", [{ kind: "token", id: "owner" }], { type: "owner", id: "owner" }],
  ] as const)("%s", (_, nodes, actor) => {
    const seen: AuditEntry[] = [];
    const audit = { pass: (entry: AuditEntry) => void seen.push(entry) };
    withLlmEvents({ record: () => undefined, healthy: () => true }, audit, (text) => text).record(entryOf(nodes));
    expect(seen).toMatchObject([{ event: "llm.completed", actor }]);
    expect(seen[0]?.actor.via).toEqual("via" in actor ? actor.via : undefined);
  });
});

function entryOf(nodes: readonly BudgetNode[]): LedgerEntry {
  return {
    id: "req-1",
    at: 1,
    subject: "somebody",
    nodes,
    client: "curl",
    dialect: "chat",
    upstream: "openai",
    requestedModel: "m",
    model: "m",
    route: "",
    attempts: 1,
    usage: NO_USAGE,
    estimated: false,
    latencyMs: 1,
    status: 200,
    outcome: "completed",
  };
}
