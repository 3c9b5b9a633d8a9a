import { createCipheriv, createDecipheriv, createSecretKey, hash, type KeyObject, randomBytes } from "node:crypto";

/**
 * Envelope encryption with AES-256-GCM (NIST SP 800-38D): each secret has a random data key of its own, and only that is
 * encrypted with the master key, so a new master key does not touch the secrets. Both are bound to the row that they
 * belong to: what was moved to another row, or to another provider, does not open.
 */

/** The row that a secret belongs to. */
export type Binding = { readonly id: string; readonly provider: string };

export type MasterKey = {
  /** Says which key it is and nothing about it. */
  readonly id: string;
  readonly key: KeyObject;
};

/** As it stands in the database. */
export type Envelope = {
  readonly keyId: string;
  readonly wrappedKey: Uint8Array;
  readonly sealed: Uint8Array;
};

export const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** @param bytes 32 of them; the caller may erase them afterwards. */
export function masterKey(bytes: Uint8Array): MasterKey {
  const id = hash("sha256", Buffer.concat([Buffer.from("loom master key id\0"), bytes]), "hex").slice(0, 16);
  return { id, key: createSecretKey(bytes) };
}

/** `dataKey` opens and seals this one secret, without the master key. */
export function sealEnvelope(text: string, binding: Binding, master: MasterKey): Envelope & { dataKey: KeyObject } {
  const bytes = randomBytes(KEY_BYTES);
  const dataKey = createSecretKey(bytes);
  const wrappedKey = wrap(bytes, binding, master);
  bytes.fill(0);
  return { keyId: master.id, wrappedKey, sealed: sealText(text, binding, dataKey), dataKey };
}

/** @throws Error where the master key is another one or the row was tampered with. */
export function openEnvelope(
  { wrappedKey, sealed }: Envelope,
  binding: Binding,
  master: MasterKey,
): { readonly text: string; readonly dataKey: KeyObject } {
  const bytes = unwrap(wrappedKey, binding, master);
  const dataKey = createSecretKey(bytes);
  bytes.fill(0);
  return { text: decrypt(sealed, dataKey, textContext(binding)).toString("utf8"), dataKey };
}

/** Another text in place of the one that is sealed; the wrapped data key stays. */
export function sealText(text: string, binding: Binding, dataKey: KeyObject): Uint8Array {
  return encrypt(Buffer.from(text, "utf8"), dataKey, textContext(binding));
}

/** The same secret under another master key. @throws Error as `openEnvelope` does. */
export function rewrap(wrappedKey: Uint8Array, binding: Binding, keys: { from: MasterKey; to: MasterKey }): Uint8Array {
  const bytes = unwrap(wrappedKey, binding, keys.from);
  const wrapped = wrap(bytes, binding, keys.to);
  bytes.fill(0);
  return wrapped;
}

function wrap(bytes: Uint8Array, binding: Binding, master: MasterKey): Uint8Array {
  return encrypt(bytes, master.key, keyContext(binding, master));
}

function unwrap(wrappedKey: Uint8Array, binding: Binding, master: MasterKey): Buffer {
  return decrypt(wrappedKey, master.key, keyContext(binding, master));
}

/** Nonce, ciphertext and tag in a row. */
function encrypt(plain: Uint8Array, key: KeyObject, context: Buffer): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES }).setAAD(context);
  const first = cipher.update(plain);
  return Buffer.concat([nonce, first, cipher.final(), cipher.getAuthTag()]);
}

function decrypt(bytes: Uint8Array, key: KeyObject, context: Buffer): Buffer {
  if (bytes.length < NONCE_BYTES + TAG_BYTES) throw new Error("What is encrypted is too short.");
  const nonce = bytes.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(context).setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  const first = decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES));
  return Buffer.concat([first, decipher.final()]);
}

function keyContext({ id, provider }: Binding, master: MasterKey): Buffer {
  return Buffer.from(JSON.stringify(["loom credential key", 1, id, provider, master.id]), "utf8");
}

function textContext({ id, provider }: Binding): Buffer {
  return Buffer.from(JSON.stringify(["loom credential", 1, id, provider]), "utf8");
}
