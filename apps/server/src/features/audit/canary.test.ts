import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createRedactor, Secret } from "@loom/config";
import { describe, expect, it, onTestFinished } from "vitest";
import type { LedgerEntry } from "../../gateway-types.ts";
import { engines, everythingIn, testDatabase } from "../../kit/engines.testing.ts";
import { SILENT_LOG } from "../../kit/log.ts";
import { event, openTestAudit } from "./audit.testing.ts";
import type { AuditEntry } from "./audit-entry.ts";
import { LlmEvents } from "./llm-events.ts";
import { migrations } from "./migrations.ts";
import { fileTarget } from "./sinks/file-target.ts";
import { SinkQueue } from "./sinks/sink-queue.ts";

const CANARY = "canary-0123456789-abcdef";

describe.each(engines)("a secret on $name", (engine) => {
  it("is in no journal, no row and no sink, wherever in an event it was", async () => {
    const test = await testDatabase(engine, [{ feature: "audit", migrations }]);
    onTestFinished(() => test[Symbol.asyncDispose]());
    const database = await test.open();
    const redact = createRedactor([new Secret(CANARY)]);
    const log = join(test.path, "log");
    const file = new SinkQueue(fileTarget(log, Date.now), { minSeverity: "debug", log: SILENT_LOG });
    const seen: AuditEntry[] = [];
    const witness = { offer: (entry: AuditEntry) => void seen.push(entry), close: async () => undefined };
    let isOpen = false;
    const audit = openTestAudit(
      test.path,
      async () => {
        if (isOpen) return database;
        throw new Error("not yet");
      },
      { redact, sinks: [file, witness] },
    );
    await audit.record(
      event(`id ${CANARY}`, {
        actor: { type: "user", id: CANARY, name: `a ${CANARY}`, impersonator: { id: CANARY, name: CANARY } },
        target: { type: "thing", id: "x".repeat(240) + CANARY, name: CANARY },
        organization: CANARY,
        policy: CANARY,
        origin: { requestId: CANARY, address: CANARY, userAgent: `curl ${CANARY}` },
        before: { [CANARY]: [{ deep: { deeper: `${CANARY}${CANARY}` } }] },
        after: { text: "x".repeat(8_180) + CANARY },
        details: { basic: Buffer.from(`user:${CANARY}`).toString("base64"), shaped: "sk-ant-api03-AbC_dEf-123456" },
      }),
    );
    const usage = {
      inputTokens: 1,
      outputTokens: 1,
      cacheReadTokens: 0,
      cacheWriteTokens: 0,
      cacheWriteLongTokens: 0,
      reasoningTokens: 0,
    };
    const follower = new LlmEvents({ audit, redact, warn: () => undefined, now: Date.now });
    const asked: LedgerEntry = {
      id: "req-1",
      at: 1,
      subject: "owner",
      nodes: [{ kind: "token", id: "owner" }],
      client: "curl",
      dialect: "chat",
      upstream: "openai",
      requestedModel: `model ${CANARY}`,
      model: CANARY,
      route: "",
      attempts: 1,
      usage,
      estimated: false,
      latencyMs: 1,
      status: 200,
      outcome: "completed",
    };
    follower.see([asked]);
    await follower.tell({ all: true });
    await audit.settle().catch(() => undefined);
    const journals = readdirSync(join(test.path, "audit")).map((name) =>
      readFileSync(join(test.path, "audit", name), "utf8"),
    );
    isOpen = true;
    await audit.settle();
    await audit.close();
    const files = readdirSync(log).map((name) => readFileSync(join(log, name), "utf8"));
    const places = [journals.join(), files.join(), JSON.stringify(seen), await everythingIn(test)];
    for (const place of places) {
      expect(place).toContain("[redacted]");
      expect(place.toLowerCase()).not.toContain(CANARY.slice(0, 12));
      expect(place).not.toContain("sk-ant-api03");
    }
    expect(seen.map(({ event }) => event)).toEqual(["token.created", "llm.completed", "audit.chain_end"]);
  });
});
