import { domainToASCII } from "node:url";

/**
 * A mail address with its domain as mail is delivered by it (IDNA, UTS 46): full-width letters, other full stops and soft
 * hyphens are not another domain. What stands before the `@` stays as it is. Nothing where the domain is none.
 */
export function deliveredAddress(address: string): string | undefined {
  const at = address.lastIndexOf("@");
  const domain = deliveredDomain(address.slice(at + 1));
  return at < 1 || domain === "" ? undefined : `${address.slice(0, at)}@${domain}`;
}

/** In lower case and ASCII; "" for what is no domain. */
export function deliveredDomain(domain: string): string {
  return domainToASCII(domain).toLowerCase();
}
