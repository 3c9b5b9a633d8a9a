import { createHmac } from "node:crypto";
import { ConfigError } from "@loom/config";

const PREFIX = "whsec_";
const LEAST_BYTES = 24;
const MOST_BYTES = 64;
const MAX_SECRETS = 2;

/** `whsec_` and base64 of 24 to 64 bytes; two of them, separated by a space, while one takes the place of the other. @throws ConfigError */
export function readWebhookSecrets(text: string, variable: string): readonly Buffer[] {
  const secrets = text.split(/\s+/).filter((part) => part !== "");
  if (secrets.length >= 1 && secrets.length <= MAX_SECRETS) {
    const keys = secrets.flatMap((secret) => keyOf(secret) ?? []);
    if (keys.length === secrets.length) return keys;
  }
  throw new ConfigError(
    `${variable} has to be one or two secrets, each whsec_ and ${LEAST_BYTES} to ${MOST_BYTES} bytes in base64.`,
  );
}

function keyOf(secret: string): Buffer | undefined {
  if (!secret.startsWith(PREFIX) || !/^[A-Za-z0-9+/]+={0,2}$/.test(secret.slice(PREFIX.length))) return undefined;
  const key = Buffer.from(secret.slice(PREFIX.length), "base64");
  return key.length >= LEAST_BYTES && key.length <= MOST_BYTES ? key : undefined;
}

/** The headers of Standard Webhooks 1.0: one `v1` signature for each secret. `at`: Unix seconds. */
export function webhookHeaders(
  { id, at, body }: { readonly id: string; readonly at: number; readonly body: string },
  secrets: readonly Uint8Array[],
) {
  const signatures = secrets.map(
    (secret) => `v1,${createHmac("sha256", secret).update(`${id}.${at}.${body}`).digest("base64")}`,
  );
  return { "webhook-id": id, "webhook-timestamp": String(at), "webhook-signature": signatures.join(" ") };
}
