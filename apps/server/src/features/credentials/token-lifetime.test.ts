import { expect, test } from "vitest";
import { lifetimeMsOf } from "./token-lifetime.ts";

test.each([
  [60, 60],
  ["60", 60],
  [0.5, 0.5],
  // What says nothing of the kind is an hour.
  [undefined, 3_600],
  [null, 3_600],
  [true, 3_600],
  [[60], 3_600],
  ["", 3_600],
  ["soon", 3_600],
  ["-5", 3_600],
  [0, 3_600],
  [-1, 3_600],
  [1e308, 3_600],
])("expires_in of %j is %d s", (expiresIn, seconds) => {
  expect(lifetimeMsOf(expiresIn)).toBe(seconds * 1000);
});
