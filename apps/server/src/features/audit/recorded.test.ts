import { describe, expect, it } from "vitest";
import type { AuditEvent } from "../../kit/audit.ts";
import { entry, event } from "./audit.testing.ts";
import { type AuditEntry, entryOf } from "./audit-entry.ts";
import type { AuditRow } from "./migrations.ts";
import { RECORDED_COLUMNS, recordedOf, recordedOfLine } from "./recorded.ts";
import { hashAt, hashOfRow } from "./row-hash.ts";

const FULL: Partial<AuditEvent> = {
  organization: "org-1",
  actor: {
    type: "user",
    id: "user-1",
    name: "ä\u2028'\"\\",
    via: { type: "session", id: "session-1:2" },
    impersonator: { id: "user-2", name: "support" },
  },
  target: { type: "thing", id: "thing-1", name: "Thing" },
  origin: { requestId: "req-1", address: "10.0.0.1", userAgent: "curl" },
  policy: "people/own",
  before: { a: 1.5, list: [null, true] },
  after: { text: "\ud83d\ude00" },
  details: { deep: { deeper: "x" } },
};

function entries(): AuditEntry[] {
  const full = entryOf(event("full", FULL), { redact: String, at: 1_700_000_000_123, place: "CH" });
  return [full, entry("bare", 5), entry("key", 6, { actor: { type: "organization_key", id: "key-1", name: "" } })];
}

describe("an event in the form in which it is kept", () => {
  it.each(entries())("is the same event when it is read again: $target.id", (original) => {
    const { json, values } = recordedOf(original);
    expect(recordedOfLine(json)).toEqual({ entry: original, values, json });
  });

  it.each(entries())("has the hash of its row: $target.id", (original) => {
    const { json, values } = recordedOf(original);
    const columns = Object.fromEntries(RECORDED_COLUMNS.map((column, index) => [column, values[index]]));
    const row = { ...columns, seq: 7, previous_hash: "ab" } as unknown as AuditRow;
    expect(hashAt({ seq: 7, previousHash: "ab" }, json)).toBe(hashOfRow(row));
  });

  it.each(entries())("is read from a journal of whole entries, too: $target.id", (original) => {
    expect(recordedOfLine(JSON.stringify(original))).toEqual(recordedOf(original));
  });

  it("is made of nothing else that stands in a file", () => {
    const { values } = recordedOf(entry("one", 5));
    const wrong = [
      values.slice(1),
      values.with(0, null),
      values.with(1, "5"),
      values.with(8, null),
      [...values, "more"],
    ];
    for (const each of [...wrong, 7, null, {}, { id: "x", at: 1 }]) {
      expect(recordedOfLine(JSON.stringify(each))).toBeUndefined();
    }
    expect(recordedOfLine('["audit-1",5,"token.cr')).toBeUndefined();
  });
});
