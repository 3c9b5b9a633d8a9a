import type { LookupFunction } from "node:net";
import { ExchangeError } from "@loom/api/http";
import { isLoopbackName } from "../../kit/host-check.ts";
import { guardedLookup, reachableAddresses } from "../../kit/outgoing-address.ts";

const PUBLIC = reachableAddresses([]);
const guarded = guardedLookup(PUBLIC);

/** Half a sentence: what it is that is not allowed. */
export const NOT_PUBLIC = "is not public: refresh tokens are sent by https to public addresses only";

/**
 * Whether its host is no address of a private network, of this machine or of a cloud's own services. By plain http nothing
 * leaves the machine: another host than loopback is refused where credentials are read. Where a name leads is seen by
 * `publicLookup`.
 */
export function isPublicEndpoint({ protocol, hostname }: URL): boolean {
  return protocol === "http:" || PUBLIC.literal(hostname.replace(/^\[|\]$/g, ""));
}

/** As `isPublicEndpoint`, also for names that never lead to another machine: what can be refused before it is stored. */
export function mayBeStored(url: URL): boolean {
  return isPublicEndpoint(url) && (url.protocol === "http:" || !isLoopbackName(url.hostname.replace(/\.$/, "")));
}

/** For `exchange`: fails with an ExchangeError where a name leads to an address that is not public. */
export const publicLookup: LookupFunction = (hostname, options, callback) =>
  guarded(hostname, options, (error, ...found) => {
    const isOurs = error !== null && !("code" in error);
    callback(isOurs ? new ExchangeError("connection", NOT_PUBLIC) : error, ...found);
  });
