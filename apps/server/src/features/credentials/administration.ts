import type { CredentialChange, CredentialInfo, NewCredential } from "@loom/api";
import type { Secret } from "@loom/config";
import type { Database } from "../../kit/database.ts";
import { CredentialError } from "./credential-error.ts";
import { standingAt, storedInfo } from "./credential-info.ts";
import { isEnvironmentId } from "./environment-ids.ts";
import { createMasterKeys } from "./master-keys.ts";
import { decided } from "./pool-member.ts";
import { createCredentialStore, type StoredCredential } from "./store.ts";
import { createVault, labelTaken, type Rotation } from "./vault.ts";

/** `problem`: why it cannot be decrypted from here. */
export type KeptCredential = CredentialInfo & { readonly problem?: string };

/** What can be done with the stored credentials from outside of a server. All @throws CredentialError, DatabaseError */
export type CredentialAdministration = {
  list(): Promise<readonly KeptCredential[]>;
  show(idOrLabel: string): Promise<KeptCredential>;
  add(wish: NewCredential): Promise<CredentialInfo>;
  change(idOrLabel: string, change: Pick<CredentialChange, "enabled">): Promise<CredentialInfo>;
  remove(idOrLabel: string): Promise<CredentialInfo>;
  /** See `CredentialVault.rotate`. */
  rotate(bytes: Uint8Array | undefined): Promise<Rotation>;
};

export function createAdministration(options: {
  readonly database: () => Promise<Database>;
  readonly masterKey: Secret | undefined;
  readonly directory: string;
  readonly wall: () => number;
}): CredentialAdministration {
  const { database, masterKey, directory, wall } = options;
  const store = createCredentialStore(database);
  const vault = createVault({ store, keys: () => createMasterKeys({ given: masterKey, directory }), wall });
  const infoOf = (row: StoredCredential): CredentialInfo => storedInfo(row, standingAt(row.standing, wall()));
  /** As a server sees it that starts now with the same master key. */
  const keptOf = (row: StoredCredential): KeptCredential => {
    try {
      vault.open(row);
      return infoOf(row);
    } catch (error) {
      if (!(error instanceof CredentialError)) throw error;
      const { message: reason } = error;
      return { ...storedInfo(row, { state: "disabled", reason, since: undefined, until: undefined }), problem: reason };
    }
  };
  const find = async (idOrLabel: string): Promise<StoredCredential> => {
    const row = await store.find(idOrLabel);
    if (row !== undefined) return row;
    if (isEnvironmentId(idOrLabel)) throw new CredentialError("unknown", ofRunningServer(idOrLabel));
    const shown = JSON.stringify(idOrLabel.slice(0, 80));
    throw new CredentialError("unknown", `There is no stored credential ${shown}: give the label or the id of one.`);
  };
  return {
    list: async () => (await store.load()).credentials.map(keptOf),
    show: async (idOrLabel) => keptOf(await find(idOrLabel)),
    add: async (wish) => infoOf(await vault.add(wish)),
    async change(idOrLabel, { enabled }) {
      const row = await find(idOrLabel);
      const { id } = row;
      // A server would disable it again.
      if (enabled === true) vault.open(row);
      if (enabled !== undefined && !(await store.change(id, { standing: decided(enabled, wall()) }))) {
        throw labelTaken(id);
      }
      return infoOf(await find(id));
    },
    async remove(idOrLabel) {
      const row = await find(idOrLabel);
      await store.remove(row.id);
      return infoOf(row);
    },
    rotate: (bytes) => vault.rotate(bytes),
  };
}

/** The command works on the database, where those of the environment are not. */
function ofRunningServer(id: string): string {
  return `The credential ${id} comes from a server's environment, of which the database knows nothing: disable it at the running server with PATCH /api/admin/credentials/${id} (until its next start), or take it out of its environment.`;
}
