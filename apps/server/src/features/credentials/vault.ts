import { type KeyObject, randomBytes, randomUUIDv7 } from "node:crypto";
import type { NewCredential } from "@loom/api";
import { CredentialError } from "./credential-error.ts";
import { KEY_BYTES, type MasterKey, masterKey, openEnvelope, rewrap, sealEnvelope, sealText } from "./envelope.ts";
import { isEnvironmentId } from "./environment-ids.ts";
import type { MasterKeys } from "./master-keys.ts";
import { GOOD_STANDING } from "./pool-member.ts";
import { contentFromText, contentOf, fingerprintOf, type SecretContent, textOfContent } from "./secret-content.ts";
import type { CredentialStore, StoredCredential } from "./store.ts";
import { mayBeStored, NOT_PUBLIC } from "./token-endpoint.ts";

/** A stored credential that can be used. */
export type OpenCredential = { readonly content: SecretContent; readonly dataKey: KeyObject };

/** Stored credentials and the keys to them. */
export type CredentialVault = {
  /** @throws CredentialError */
  add(wish: NewCredential): Promise<StoredCredential>;
  /** @throws CredentialError where the master key is missing or wrong, or the row was tampered with. */
  open(row: StoredCredential): OpenCredential;
  /** What `store.saveSecret` takes. */
  seal(row: StoredCredential, content: SecretContent, dataKey: KeyObject): Uint8Array;
  /**
   * Wraps all credentials with a new master key, in one transaction; the old one is not needed afterwards.
   * @param bytes of the new key, where the operator chose it.
   * @throws CredentialError
   */
  rotate(bytes: Uint8Array | undefined): Promise<Rotation>;
};

export type Rotation = {
  readonly count: number;
  readonly keyId: string;
  /** The new key is in the data directory, or it is for the operator to hand to the server. */
  readonly place: "directory" | "operator";
};

export function createVault(options: {
  readonly store: CredentialStore;
  readonly keys: () => MasterKeys;
  readonly wall: () => number;
}): CredentialVault {
  const { store, keys, wall } = options;

  const nextLabel = async (provider: string): Promise<string> => {
    const taken = new Set((await store.load()).credentials.map(({ label }) => label));
    let number = 1;
    while (taken.has(`${provider}-${number}`)) number += 1;
    return `${provider}-${number}`;
  };

  return {
    async add({ provider, label, weight = 1, secret }) {
      if (label !== undefined) checkLabel(label);
      if (secret.type === "oauth") checkEndpoint(secret.tokenEndpoint);
      const { keyId } = await store.vault();
      const master = keyId === undefined ? keys().first() : keys().find(keyId);
      const id = `credential-${randomUUIDv7()}`;
      const content = contentOf(secret);
      const { dataKey: _, ...envelope } = sealEnvelope(textOfContent(content), { id, provider }, master);
      const row: StoredCredential = {
        ...envelope,
        id,
        provider,
        label: label ?? (await nextLabel(provider)),
        kind: content.type,
        weight,
        fingerprint: fingerprintOf(content),
        secretRevision: 1,
        expiresAt: content.type === "oauth" ? content.expiresAtMs : undefined,
        standing: GOOD_STANDING,
        createdAt: new Date(wall()).toISOString(),
        revision: 0,
      };
      switch (await store.add(row)) {
        case "added":
          return row;
        case "label_taken":
          throw labelTaken(row.label);
        case "other_key":
          throw new CredentialError("master_key", "The master key was changed at this moment: try again.");
      }
    },
    open(row) {
      const master = keys().find(row.keyId);
      try {
        const { text, dataKey } = openEnvelope(row, row, master);
        return { content: contentFromText(text), dataKey };
      } catch (error) {
        throw new CredentialError(
          "master_key",
          `The credential ${row.label} cannot be decrypted, because its row was changed by something else: remove it and add it again.`,
          { cause: error },
        );
      }
    },
    seal: (row, content, dataKey) => sealText(textOfContent(content), row, dataKey),
    async rotate(bytes) {
      const known = keys();
      const { keyId } = await store.vault();
      const from = keyId === undefined ? known.first() : known.find(keyId);
      const { to, place, keep, drop } = target(known, from, bytes);
      try {
        const count = await store.rewrap((vault, row) => {
          if (vault.keyId !== undefined && vault.keyId !== from.id) {
            throw new CredentialError("master_key", "The master key was changed at this moment: try again.");
          }
          return rewrap(row.wrappedKey, row, { from, to });
        }, to.id);
        keep();
        return { count, keyId: to.id, place };
      } catch (error) {
        drop();
        if (error instanceof CredentialError || !isCipherError(error)) throw error;
        throw new CredentialError(
          "master_key",
          "A credential cannot be decrypted, because its row was changed by something else: nothing was changed. Remove it and try again.",
          { cause: error },
        );
      }
    },
  };
}

export function labelTaken(label: string): CredentialError {
  return new CredentialError("taken", `There is a credential ${JSON.stringify(label)} already: take another label.`);
}

/** @throws CredentialError for a label by which one of the environment is, or may be, called. */
export function checkLabel(label: string): void {
  if (!isEnvironmentId(label)) return;
  const shown = JSON.stringify(label);
  throw new CredentialError("taken", `The label ${shown} is kept for the server's environment: take another one.`);
}

function checkEndpoint(text: string): void {
  const url = new URL(text);
  if (mayBeStored(url)) return;
  throw new CredentialError("wrong", `The tokenEndpoint of the credential, at ${url.host}, ${NOT_PUBLIC}.`);
}

type Target = {
  readonly to: MasterKey;
  readonly place: Rotation["place"];
  keep(): void;
  drop(): void;
};

const NOTHING = (): void => {};

/** Which key comes next, and where it will be found. */
function target(keys: MasterKeys, from: MasterKey, bytes: Uint8Array | undefined): Target {
  const given = keys.given();
  if (given !== undefined) {
    const to = bytes === undefined ? given : masterKey(bytes);
    if (to.id !== from.id) return { to, place: "operator", keep: NOTHING, drop: NOTHING };
    throw bytes === undefined
      ? new CredentialError(
          "wrong",
          "The master key is given by the environment: name the new one with --new-key-file.",
        )
      : sameKey();
  }
  const fresh = bytes ?? randomBytes(KEY_BYTES);
  const to = masterKey(fresh);
  if (to.id === from.id) throw sameKey();
  return { to, place: "directory", ...keys.prepare(fresh) };
}

function sameKey(): CredentialError {
  return new CredentialError("wrong", "The new master key is the old one: nothing was changed.");
}

/** Of OpenSSL: the tag does not fit. */
function isCipherError(error: unknown): boolean {
  return error instanceof Error && /authenticate data|too short/.test(error.message);
}
