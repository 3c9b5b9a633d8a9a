import { Secret } from "@loom/config";
import { openDatabase } from "../../kit/database.ts";
import { MIGRATIONS } from "../migrations.ts";
import { createMasterKeys } from "./master-keys.ts";
import { createCredentialStore } from "./store.ts";
import { createVault } from "./vault.ts";

/** What another server on the same database does with the first OAuth credential. */
export async function refreshElsewhere(
  directory: string,
  tokens: { readonly accessToken: string; readonly refreshToken: string },
): Promise<void> {
  const database = await openDatabase({ file: `${directory}/loom-server.sqlite`, migrations: MIGRATIONS });
  const store = createCredentialStore(async () => database);
  const vault = createVault({ store, keys: () => createMasterKeys({ given: undefined, directory }), wall: Date.now });
  const row = (await store.load()).credentials.find(({ kind }) => kind === "oauth");
  const open = row && vault.open(row);
  if (row === undefined || open?.content.type !== "oauth") throw new Error("There is no such credential.");
  const expiresAt = Date.now() + 3_600_000;
  const content = {
    ...open.content,
    accessToken: new Secret(tokens.accessToken),
    refreshToken: new Secret(tokens.refreshToken),
    expiresAtMs: expiresAt,
  };
  await store.saveSecret(row.id, { sealed: vault.seal(row, content, open.dataKey), expiresAt }, row.secretRevision);
  await database.close();
}
