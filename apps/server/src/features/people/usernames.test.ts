import fc from "fast-check";
import { expect, test } from "vitest";
import { slugFault, slugsLike, usernameFault, usernamesLike } from "./usernames.ts";

test("what is wrong with a username is said", () => {
  expect(usernameFault("ada_L1")).toBeUndefined();
  expect(usernameFault("al")).toBe("must have 3 to 39 characters");
  expect(usernameFault("a".repeat(1_000_000))).toBe("must have 3 to 39 characters");
  expect(usernameFault("p\u0430ypal")).toMatch(/U\+0430 is none of them/);
  expect(usernameFault("ada\u200B")).toMatch(/U\+200B is none of them/);
  expect(usernameFault("ad-a")).toMatch(/U\+002D/);
  for (const name of ["admin", "ADM1N", "_support_", "ro0t", "system_admin"]) {
    expect(usernameFault(name)).toBe("is reserved, or looks like one that is");
  }
});

test("what is wrong with a slug is said", () => {
  expect(slugFault("a-team-2", { least: 3 })).toBeUndefined();
  expect(slugFault("qa", { least: 2 })).toBeUndefined();
  expect(slugFault("qa", { least: 3 })).toBe("must have 3 to 50 characters");
  for (const slug of ["-ab", "ab-", "a--b", "A-b", "a_b", "\u0430cme"]) {
    expect(slugFault(slug, { least: 3 })).toMatch(/lower-case letters, digits and single hyphens/);
  }
  expect(slugFault("no-reply", { least: 3 })).toBe("is reserved");
});

test("whatever somebody would like to be called, there are names and slugs for him", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.constantFrom("admin", "__", "1me")), (wish) => {
      const [names, slugs] = [usernamesLike(wish, () => "0f3a9c1e"), slugsLike(wish, () => "0f3a9c1e")];
      for (let turn = 0; turn < 12; turn += 1) {
        expect(usernameFault(names.next().value)).toBeUndefined();
        expect(slugFault(slugs.next().value, { least: 3 })).toBeUndefined();
      }
    }),
  );
});
