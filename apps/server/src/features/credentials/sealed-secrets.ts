import { CredentialError } from "./credential-error.ts";
import { openEnvelope, sealEnvelope } from "./envelope.ts";
import type { MasterKeys } from "./master-keys.ts";
import type { CredentialStore } from "./store.ts";

/** Secrets of other features, encrypted like stored credentials; a new master key is theirs, too. */
export type SealedSecrets = {
  /** @throws CredentialError where the master key is missing */
  put(secret: { readonly id: string; readonly purpose: string; readonly text: string }): Promise<void>;
  /** `undefined` where there is none of that id and purpose. @throws CredentialError */
  open(id: string, purpose: string): Promise<string | undefined>;
  remove(id: string): Promise<void>;
};

export function createSealedSecrets(store: CredentialStore, keys: () => MasterKeys): SealedSecrets {
  return {
    async put({ id, purpose, text }) {
      const { keyId } = await store.vault();
      const master = keyId === undefined ? keys().first() : keys().find(keyId);
      const binding = { id, provider: purpose };
      const { dataKey: _, ...envelope } = sealEnvelope(text, binding, master);
      if (await store.putSecret({ ...binding, ...envelope })) return;
      throw new CredentialError("master_key", "The master key was changed at this moment: try again.");
    },
    async open(id, purpose) {
      const row = await store.secret(id);
      if (row === undefined) return undefined;
      const master = keys().find(row.keyId);
      try {
        return openEnvelope(row, { id, provider: purpose }, master).text;
      } catch (error) {
        const detail = "A stored secret cannot be decrypted, because its row was changed by something else.";
        throw new CredentialError("master_key", detail, { cause: error });
      }
    },
    remove: (id) => store.removeSecret(id),
  };
}
