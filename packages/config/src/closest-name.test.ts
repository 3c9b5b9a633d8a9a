import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { closestName } from "./closest-name.ts";

const NAMES = ["--model", "--max-turns", "--output-format", "resume", "replay", "list"];

describe("closestName", () => {
  it("finds the name that was meant", () => {
    expect(closestName("--modle", NAMES)).toBe("--model");
    expect(closestName("--maxturns", NAMES)).toBe("--max-turns");
    expect(closestName("resmue", NAMES)).toBe("resume");
    expect(closestName("--output", NAMES)).toBe("--output-format");
  });

  it("does not guess where nothing is near", () => {
    expect(closestName("banana", NAMES)).toBeUndefined();
    expect(closestName("", NAMES)).toBeUndefined();
    expect(closestName("x".repeat(10_000), NAMES)).toBeUndefined();
  });

  it("never fails, whatever the name", () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.string()), (name, candidates) => {
        const closest = closestName(name, candidates);
        expect(closest === undefined || candidates.includes(closest)).toBe(true);
      }),
    );
  });
});
