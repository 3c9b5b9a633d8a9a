import type { Secret } from "@loom/config";
import type { ProviderKind } from "../../provider-config.ts";

/** How a provider wants its key. The key is taken out of its box here and nowhere else. */
export function credentialHeaders(kind: ProviderKind, key: Secret): Readonly<Record<string, string>> {
  if (kind === "anthropic") return { "x-api-key": key.expose() };
  return kind === "gemini" ? { "x-goog-api-key": key.expose() } : accessTokenHeaders(key);
}

/** Access tokens go where OAuth has them (RFC 6750, section 2.1), whoever the provider is. */
export function accessTokenHeaders(token: Secret): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${token.expose()}` };
}
