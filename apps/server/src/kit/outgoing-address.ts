import { lookup as resolve } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { networks } from "./client-address.ts";

/** Where requests may go whose destination somebody has chosen. */
export type ReachableAddress = {
  address(address: string): boolean;
  /** What stands in a URL in place of a name; true for a name, whose addresses are asked for one by one. */
  literal(host: string): boolean;
};

/** RFC 6890 and its successors: this machine, private and shared networks, link-local (also where clouds keep their secrets), multicast, reserved. */
const isSpecial = networks([
  ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"],
  ...["192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"],
  ...["224.0.0.0/4", "240.0.0.0/4", "::/127", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23"],
  ...["2001:db8::/32", "2002::/16", "3fff::/20", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"],
]);

/** Public addresses, and those of `allowed`, e.g. `10.1.0.0/16`. @throws Error that names the part which is no network. */
export function reachableAddresses(allowed: readonly string[]): ReachableAddress {
  const isAllowed = networks(allowed);
  const address = (text: string): boolean => {
    const plain = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text)?.[1] ?? text;
    if (isIP(plain) === 0) return false;
    return isAllowed(plain) || !(isSpecial(plain) || /^::ffff:/i.test(plain));
  };
  return { address, literal: (host) => isIP(host) === 0 || address(host) };
}

/** Looks a name up once and gives only what may be reached: nothing is left for another answer later. */
export function guardedLookup(may: ReachableAddress): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      const refused = addresses.find(({ address }) => !may.address(address));
      const [first] = addresses;
      if (refused !== undefined || first === undefined) {
        callback(new Error(`${hostname} leads to ${refused?.address ?? "nowhere"}, which is not allowed`), []);
      } else if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}
