import type { RawOutgoing } from "../../kit/raw-exchange.ts";
import type { Refusal } from "./attempt.ts";
import { contentEncoding } from "./content-decoding.ts";
import { responseHeaders } from "./response-headers.ts";
import type { RequestHeaders } from "./upstream-request.ts";

/**
 * Passes a provider's error on as it came, but for the server's own key, should it be in there. `false`: it is about
 * that key, or cannot be read, and is nothing for a client.
 */
export function sendRefusal(
  outgoing: RawOutgoing,
  { status, headers, body }: Refusal,
  options: {
    readonly ours: { readonly [name: string]: string };
    readonly credential: RequestHeaders;
    readonly redact: (text: string) => string;
  },
): boolean {
  if (status === 401 || status === 403 || contentEncoding(headers["content-encoding"]) !== undefined) return false;
  if (outgoing.destroyed) return true;
  const text = body.toString("utf8");
  const clean = options.redact(withoutCredential(text, options.credential));
  const bytes = clean === text ? body : Buffer.from(clean, "utf8");
  const passed = responseHeaders(headers, options.ours, { eventStream: false, changed: true });
  const sent: string[] = [];
  for (let index = 0; index + 1 < passed.length; index += 2) {
    const [name = "", value = ""] = passed.slice(index, index + 2);
    if (!holdsCredential(value, options.credential)) sent.push(name, value);
  }
  outgoing.writeHead(status, [...sent, "content-length", String(bytes.length)]);
  outgoing.end(bytes);
  return true;
}

function withoutCredential(text: string, credential: RequestHeaders): string {
  let clean = text;
  for (const secret of secretsOf(credential)) clean = clean.replaceAll(secret, "[redacted]");
  return clean;
}

function holdsCredential(text: string, credential: RequestHeaders): boolean {
  return secretsOf(credential).some((secret) => text.includes(secret));
}

function secretsOf(credential: RequestHeaders): string[] {
  return Object.values(credential)
    .map((value) => value.replace(/^Bearer /, ""))
    .filter((secret) => secret.length >= 8);
}
