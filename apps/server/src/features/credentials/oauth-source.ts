import type { Secret } from "@loom/config";
import type { Log } from "../../kit/log.ts";
import { CredentialError } from "./credential-error.ts";
import { refreshAccessToken, TokenEndpointError } from "./oauth-client.ts";
import type { OAuthContent } from "./secret-content.ts";
import type { CredentialStore, StoredCredential } from "./store.ts";
import { TokenRefused } from "./token-refused.ts";
import type { AccessToken, TokenSource } from "./token-source.ts";
import type { CredentialVault, OpenCredential } from "./vault.ts";

export type OAuthSourceOptions = {
  readonly row: StoredCredential;
  readonly open: OpenCredential & { readonly content: OAuthContent };
  readonly store: CredentialStore;
  readonly vault: CredentialVault;
  readonly wall: () => number;
  readonly log: Log;
  /** Fires when the server ends: its turn is not waited for any more. */
  readonly signal: AbortSignal;
  /** All that has to be kept secret from now on. */
  readonly conceal: (secrets: readonly Secret[]) => void;
};

/** Access tokens that another process has fetched are taken if they last this long. */
const WORTH_MS = 60_000;

/** Longer than the token endpoint may take; so long the others wait for a server that died on its way there. */
const CLAIM_MS = 60_000;
const ASK_AGAIN_MS = 100;

const OUT_OF_TURN =
  "The refresh token was refused, and another server may have used it, of which the database does not tell: try again in a moment.";

/**
 * The tokens of one account. A refresh token may be good for one use only, so of all servers on the database one goes to
 * the token endpoint at a time, and what came back is in the database before anybody gets to use it; while the database
 * cannot be written, it is kept here and written later.
 */
export class OAuthSource implements TokenSource {
  readonly #options: OAuthSourceOptions;
  #row: StoredCredential;
  #content: OAuthContent;
  #dataKey: OpenCredential["dataKey"];
  #isSaved = true;

  constructor(options: OAuthSourceOptions) {
    this.#options = options;
    this.#row = options.row;
    this.#content = options.open.content;
    this.#dataKey = options.open.dataKey;
  }

  /** The revision of the secret that it has, as the database knows it. */
  get secretRevision(): number {
    return this.#row.secretRevision;
  }

  /** Unix milliseconds. */
  get expiresAt(): number | undefined {
    return this.#content.expiresAtMs;
  }

  get known(): AccessToken | undefined {
    const { accessToken, expiresAtMs } = this.#content;
    return accessToken && expiresAtMs !== undefined ? { value: accessToken, expiresAtMs } : undefined;
  }

  async token(): Promise<AccessToken> {
    const { wall, store } = this.#options;
    const turn = this.#isSaved ? await this.#claim() : false;
    if (typeof turn === "object") return turn;
    try {
      const answer = await refreshAccessToken(this.#content, { now: wall });
      this.#content = {
        ...this.#content,
        accessToken: answer.accessToken,
        expiresAtMs: answer.expiresAtMs,
        refreshToken: answer.refreshToken ?? this.#content.refreshToken,
      };
      this.#conceal();
      this.#isSaved = false;
      await this.save();
      return { value: answer.accessToken, expiresAtMs: answer.expiresAtMs };
    } catch (error) {
      if (turn) await store.releaseRefresh(this.#row.id, this.#row.secretRevision).catch(() => undefined);
      if (!(error instanceof TokenRefused)) throw error;
      // Somebody else has used the refresh token at the same time and has what came for it.
      const other = (await this.#follow()) ? this.known : undefined;
      if (other !== undefined) return other;
      // Or has not been able to write it down yet.
      throw turn ? error : new TokenEndpointError(OUT_OF_TURN);
    }
  }

  /** Writes down what could not be written before. */
  async save(): Promise<void> {
    if (this.#isSaved) return;
    const { store, vault, log } = this.#options;
    const expiresAt = this.#content.expiresAtMs;
    try {
      const sealed = vault.seal(this.#row, this.#content, this.#dataKey);
      const row = await store.saveSecret(this.#row.id, { sealed, expiresAt }, this.#row.secretRevision);
      this.#isSaved = true;
      // Where another process was faster, what it has written counts.
      if (row === undefined || Buffer.compare(row.sealed, sealed) === 0) this.#row = row ?? this.#row;
      else this.#adopt(row);
    } catch (error) {
      log.error("refreshed token not saved", { credentialId: this.#row.id, error: String(error) });
    }
  }

  /**
   * Waits until it is this server's turn to use the refresh token, or gives what another one has got for it. `false`: nobody
   * says whose turn it is. @throws CredentialError where it is gone
   */
  async #claim(): Promise<AccessToken | boolean> {
    const { store, wall, signal } = this.#options;
    for (let waitedMs = 0; waitedMs <= CLAIM_MS; waitedMs += ASK_AGAIN_MS) {
      const other = (await this.#follow()) ? this.known : undefined;
      if (other !== undefined && other.expiresAtMs - wall() > WORTH_MS) return other;
      const { id, secretRevision } = this.#row;
      const claim = await store.claimRefresh(id, secretRevision, CLAIM_MS).catch(() => undefined);
      if (claim === "gone") throw new CredentialError("unknown", "The credential was removed at this moment.");
      // Where the database does not answer, nobody else can be heard of either.
      if (claim !== "held") return claim === "claimed";
      if (signal.aborted) throw new TokenEndpointError("The server is shutting down.");
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    }
    return false;
  }

  /** Takes over what another process has written. Says whether there was something. */
  async #follow(): Promise<boolean> {
    const row = await this.#options.store.find(this.#row.id).catch(() => undefined);
    if (row === undefined || row.secretRevision === this.#row.secretRevision) return false;
    return this.#adopt(row);
  }

  #adopt(row: StoredCredential): boolean {
    const { content, dataKey } = this.#options.vault.open(row);
    if (content.type !== "oauth") return false;
    this.#row = row;
    this.#content = content;
    this.#dataKey = dataKey;
    this.#conceal();
    return true;
  }

  #conceal(): void {
    const { refreshToken, accessToken, clientSecret } = this.#content;
    this.#options.conceal([refreshToken, accessToken, clientSecret].flatMap((secret) => secret ?? []));
  }
}
