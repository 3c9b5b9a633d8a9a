import { randomUUIDv7 } from "node:crypto";
import { type Authenticate, hashToken, matchesHash, mintToken } from "../../kit/auth.ts";
import { OWNER } from "../../kit/subject.ts";
import type { OwnerStore } from "./store.ts";
import { writeTokenFile } from "./token-file.ts";

export type OwnerService = {
  /**
   * Makes the owner's token if this database has none, and writes it to `file`, the only place where it can be read.
   * With `replace` a new one takes the place of the old one. Says whether there is a new token.
   * @throws TokenFileError, DatabaseError
   */
  ensureToken(options: { readonly file: string; readonly replace: boolean }): Promise<boolean>;
  readonly authenticate: Authenticate;
  /** Another process may have replaced the token. */
  reload(): Promise<void>;
};

export function createOwnerService(store: OwnerStore): OwnerService {
  let hashes: readonly Uint8Array[] = [];
  return {
    async ensureToken({ file, replace }) {
      const id = `owner-${randomUUIDv7()}`;
      const minted = await store.mint(
        () => {
          const token = mintToken();
          // Before the row is committed: a crash in between leaves a token that nobody knows, and the next start mends it.
          writeTokenFile(file, token);
          return hashToken(token.expose());
        },
        { id, replace },
      );
      hashes = await store.hashes();
      return minted;
    },
    authenticate: (token) => (hashes.some((hash) => matchesHash(token, hash)) ? OWNER : undefined),
    async reload() {
      hashes = await store.hashes();
    },
  };
}
