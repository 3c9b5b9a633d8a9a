import { createRedactor } from "@loom/config";
import type { RawOutgoing } from "../../kit/raw-exchange.ts";
import type { Refusal } from "./attempt.ts";
import { contentEncoding } from "./content-decoding.ts";
import { credentialForms, secretsOf } from "./credential-forms.ts";
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
  const redactCredential = createRedactor(secretsOf(options.credential));
  const redact = (each: string): string => options.redact(redactCredential(each));
  if (holdsWide(body, redact)) return false;
  const clean = redact(text);
  const bytes = clean === text ? body : Buffer.from(clean, "utf8");
  const secrets = credentialForms(options.credential);
  const passed = responseHeaders(headers, options.ours, { eventStream: false, changed: true, secrets });
  outgoing.writeHead(status, [...passed, "content-length", String(bytes.length)]);
  outgoing.end(bytes);
  return true;
}

/** Whether a secret stands here in an encoding of two or four bytes for each letter, whichever comes first. */
function holdsWide(body: Buffer, redact: (text: string) => string): boolean {
  if (!body.includes(0)) return false;
  const letters = body.toString("latin1").replaceAll("\0", "");
  return redact(letters) !== letters;
}
