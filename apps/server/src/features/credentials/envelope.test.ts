import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { masterKey, openEnvelope, rewrap, sealEnvelope, sealText } from "./envelope.ts";

const BINDING = { id: "credential-1", provider: "anthropic" };
const SECRET = "a secret that nobody sees";

test("what is sealed is seen by nobody, and opens with its key in its own row only", () => {
  const master = masterKey(randomBytes(32));
  const { dataKey: _, ...envelope } = sealEnvelope(SECRET, BINDING, master);
  expect(Buffer.concat([envelope.sealed, envelope.wrappedKey]).toString("latin1")).not.toContain("secret");
  expect(openEnvelope(envelope, BINDING, master).text).toBe(SECRET);
  expect(() => openEnvelope(envelope, BINDING, masterKey(randomBytes(32)))).toThrow();
  expect(() => openEnvelope(envelope, { ...BINDING, id: "credential-2" }, master)).toThrow();
  expect(() => openEnvelope(envelope, { ...BINDING, provider: "openai" }, master)).toThrow();
});

test("one changed bit anywhere, or a missing end, and it does not open", () => {
  const master = masterKey(randomBytes(32));
  const { dataKey: _, ...envelope } = sealEnvelope(SECRET, BINDING, master);
  for (const part of ["sealed", "wrappedKey"] as const) {
    for (let index = 0; index < envelope[part].length; index += 1) {
      const bytes = Uint8Array.from(envelope[part]);
      bytes[index] = (bytes[index] ?? 0) ^ 1;
      expect(() => openEnvelope({ ...envelope, [part]: bytes }, BINDING, master)).toThrow();
      expect(() => openEnvelope({ ...envelope, [part]: envelope[part].subarray(0, index) }, BINDING, master)).toThrow();
    }
  }
});

test("a new master key opens it and the old one does not; a new text needs no master key", () => {
  const [from, to] = [masterKey(randomBytes(32)), masterKey(randomBytes(32))];
  const { dataKey, ...envelope } = sealEnvelope(SECRET, BINDING, from);
  const moved = { ...envelope, wrappedKey: rewrap(envelope.wrappedKey, BINDING, { from, to }), keyId: to.id };
  expect(openEnvelope(moved, BINDING, to).text).toBe(SECRET);
  expect(() => openEnvelope(moved, BINDING, from)).toThrow();
  const renewed = { ...moved, sealed: sealText("another", BINDING, dataKey) };
  expect(openEnvelope(renewed, BINDING, to).text).toBe("another");
});

test("the same secret never looks the same twice", () => {
  const master = masterKey(randomBytes(32));
  const [one, two] = [sealEnvelope(SECRET, BINDING, master), sealEnvelope(SECRET, BINDING, master)];
  expect(Buffer.compare(one.sealed, two.sealed)).not.toBe(0);
  expect(Buffer.compare(one.wrappedKey, two.wrappedKey)).not.toBe(0);
});
