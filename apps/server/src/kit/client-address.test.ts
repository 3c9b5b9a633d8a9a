import type { IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import { clientAddress, networks } from "./client-address.ts";

function request(remoteAddress: string, ...forwarded: string[]): IncomingMessage {
  const headersDistinct = forwarded.length === 0 ? {} : { "x-forwarded-for": forwarded };
  return { socket: { remoteAddress }, headersDistinct } as unknown as IncomingMessage;
}

describe("the address of a client", () => {
  const proxies = networks(["10.0.0.0/8", "127.0.0.1", "fd00::/8"]);

  test.each([
    ["nobody's word is taken unless it is trusted", "203.0.113.9", ["1.2.3.4"], "203.0.113.9"],
    ["a trusted proxy names it", "10.1.2.3", ["198.51.100.7"], "198.51.100.7"],
    ["what the client itself wrote further left is nothing", "10.1.2.3", ["1.1.1.1, 198.51.100.7"], "198.51.100.7"],
    ["proxies in a row", "127.0.0.1", ["1.1.1.1, 198.51.100.7, 10.0.0.5"], "198.51.100.7"],
    ["several headers count as one", "127.0.0.1", ["1.1.1.1", "198.51.100.7"], "198.51.100.7"],
    ["an IPv4 address in the clothes of IPv6", "::ffff:10.1.2.3", ["::ffff:198.51.100.7"], "198.51.100.7"],
    ["IPv6", "fd00::1", ["2001:db8::7"], "2001:db8::7"],
    ["nonsense ends the walk", "10.1.2.3", ["198.51.100.7, nonsense"], "10.1.2.3"],
    ["without the header it is the proxy", "10.1.2.3", [], "10.1.2.3"],
  ])("%s", (_, remote, forwarded, expected) => {
    expect(clientAddress(request(remote, ...forwarded), proxies)).toBe(expected);
  });

  test.each(["10.0.0.0/33", "localhost", "10.0.0.0/8/8", "10.0.0.0/", "fd00::/129", "10.0.0.0/-1"])(
    "%s is no network",
    (part) => {
      expect(() => networks([part])).toThrow(part);
    },
  );
});
