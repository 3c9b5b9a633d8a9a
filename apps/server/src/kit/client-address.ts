import { BlockList, isIP } from "node:net";
import type { RequestHead } from "./request-head.ts";

/** Whose word on the client's address is taken. */
export type TrustedProxies = (address: string) => boolean;

/**
 * Whether an address is one of these addresses and networks, e.g. `10.0.0.0/8`.
 * @throws Error that names the part which is no address and no network.
 */
export function networks(parts: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const part of parts) {
    const [address = "", bits, ...rest] = part.split("/");
    const version = isIP(address);
    const isNetwork = bits !== undefined && /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128);
    if (version === 0 || rest.length > 0 || (bits !== undefined && !isNetwork)) {
      throw new Error(`${part} is neither an address nor a network such as 10.0.0.0/8`);
    }
    const family = version === 4 ? "ipv4" : "ipv6";
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return (address) => list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}

/**
 * The address of the client: that of the connection, or, behind trusted proxies, the last in `X-Forwarded-For` that
 * none of them wrote for one of their own. What stands further to the left anybody could have written.
 */
export function clientAddress(request: RequestHead, isTrusted: TrustedProxies): string {
  let address = plain(request.socket.remoteAddress ?? "");
  if (isIP(address) === 0 || !isTrusted(address)) return address;
  const forwarded = (request.headersDistinct["x-forwarded-for"] ?? []).join(",").split(",");
  for (const hop of forwarded.toReversed()) {
    const candidate = plain(hop.trim());
    if (isIP(candidate) === 0) return address;
    address = candidate;
    if (!isTrusted(address)) return address;
  }
  return address;
}

/** `::ffff:10.0.0.1` is `10.0.0.1`. */
function plain(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  return mapped ?? address;
}
