import { inspect } from "node:util";
import { expect, test } from "vitest";
import { authenticateOne, hashToken, looksLikeToken, matchesHash, mintToken } from "./auth.ts";
import { OWNER } from "./subject.ts";

test("a token has 256 random bits behind its prefix and does not print itself", () => {
  const tokens = Array.from({ length: 50 }, () => mintToken());
  for (const token of tokens) {
    expect(token.expose()).toMatch(/^lt_[A-Za-z0-9_-]{43}$/);
    expect(looksLikeToken(token.expose())).toBe(true);
    expect(`${inspect(token)} ${JSON.stringify({ token })}`).not.toContain("lt_");
  }
  expect(new Set(tokens.map((token) => token.expose())).size).toBe(50);
});

test("a token is known by its hash, and by nothing that is nearly it", async () => {
  const token = mintToken();
  const text = token.expose();
  const authenticate = authenticateOne(token);
  expect(await authenticate(text)).toEqual(OWNER);
  for (const wrong of ["", text.slice(0, -1), `${text}x`, text.toUpperCase(), hashToken(text).toString("hex")]) {
    expect(await authenticate(wrong)).toBeUndefined();
  }
  expect(matchesHash(text, hashToken(text).subarray(1))).toBe(false);
});
