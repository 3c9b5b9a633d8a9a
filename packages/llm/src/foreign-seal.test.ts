import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { words } from "./arbitrary.testing.ts";
import { FOREIGN_SEAL, sealToClient, thoughtFromClient, unwrapSeal, wrapSeal } from "./foreign-seal.ts";

describe("a seal that passes through a client of another dialect", () => {
  test("comes back as it was, and is base64 all the way", () => {
    const thought = fc.oneof(
      fc.record({ signature: words, dialect: fc.constantFrom("anthropic", "gemini") }),
      fc.record({ redactedData: words, dialect: fc.constant("anthropic") }),
      fc.record({ signature: words }),
    );
    fc.assert(
      fc.property(thought, words, (sealed, text) => {
        const seal = sealToClient(sealed, "responses") ?? "";
        expect(seal).toMatch(/^[A-Za-z0-9+/]+={0,2}$/);
        expect(seal.startsWith(FOREIGN_SEAL)).toBe(true);
        expect(thoughtFromClient(text, seal, "responses")).toEqual({ type: "thinking", text, ...sealed });
      }),
    );
  });

  test("is bare where the client's dialect made it", () => {
    expect(sealToClient({ signature: "gAAA", dialect: "responses" }, "responses")).toBe("gAAA");
    expect(thoughtFromClient("Hm.", "gAAA", "responses")).toEqual({
      type: "thinking",
      text: "Hm.",
      signature: "gAAA",
      dialect: "responses",
    });
  });

  test("says which call it seals", () => {
    const seal = { kind: "call", data: "sig", dialect: "gemini", callId: "call_1" } as const;
    expect(unwrapSeal(wrapSeal(seal))).toEqual(seal);
  });

  test("comes back in the alphabet for URLs, too, as Google's client for Python writes bytes, and begins alike in both", () => {
    const seal = { kind: "signature", data: "a>>>b???c~~~ÿÿÿ", dialect: "anthropic" } as const;
    const wrapped = wrapSeal(seal);
    const forUrls = wrapped.replaceAll("+", "-").replaceAll("/", "_");
    expect(forUrls).not.toBe(wrapped);
    for (const each of [wrapped, forUrls, forUrls.replaceAll("=", "")]) expect(unwrapSeal(each)).toEqual(seal);
    expect(FOREIGN_SEAL).toMatch(/^[A-Za-z0-9]+$/);
  });

  test("is no seal any more where it cannot be read, and never one of the client's own dialect", () => {
    for (const broken of [FOREIGN_SEAL, `${FOREIGN_SEAL}!`, btoa("loom1:[]")]) {
      expect(thoughtFromClient("Hm.", broken, "gemini")).toEqual({ type: "thinking", text: "Hm." });
    }
  });

  test.each(["", "gAAA", FOREIGN_SEAL, `${FOREIGN_SEAL}!`, btoa("loom1:[]"), btoa('loom1:{"kind":"x","data":"y"}')])(
    "is none in %j",
    (text) => {
      expect(unwrapSeal(text)).toBeUndefined();
    },
  );
});
