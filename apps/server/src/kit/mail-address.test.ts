import { expect, test } from "vitest";
import { deliveredAddress } from "./mail-address.ts";

test.each([
  ["Ada@Example.COM", "Ada@example.com"],
  ["ada@example\u3002com", "ada@example.com"],
  ["ada@\uff45xample.com", "ada@example.com"],
  ["ada@exa\u00admple.com", "ada@example.com"],
  ["ada@\u212a.example", "ada@k.example"],
  ["ada@b\u00fccher.example", "ada@xn--bcher-kva.example"],
  ["ada@a b", undefined],
  ["ada@", undefined],
  ["@example.com", undefined],
  ["ada", undefined],
])("%j is delivered to %j", (address, delivered) => {
  expect(deliveredAddress(address)).toBe(delivered);
});
