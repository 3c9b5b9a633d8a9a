import type { Secret } from "@loom/config";
import type { Clock } from "../../kit/clock.ts";
import type { Log } from "../../kit/log.ts";
import type { ProviderKind } from "../../provider-config.ts";
import { accessTokenHeaders, credentialHeaders } from "../gateway/credential-headers.ts";
import { CachedToken } from "./cached-token.ts";
import { CredentialError } from "./credential-error.ts";
import type { CredentialPool } from "./credential-pool.ts";
import { OAuthSource } from "./oauth-source.ts";
import { type HeaderSource, PoolMember, type Standing } from "./pool-member.ts";
import { secretsIn } from "./secret-content.ts";
import type { CredentialStore, StoredCredential } from "./store.ts";
import type { CredentialVault } from "./vault.ts";

export type StoredMembersOptions = {
  readonly pool: CredentialPool;
  readonly store: CredentialStore;
  readonly vault: CredentialVault;
  readonly clock: Clock;
  readonly log: Log;
  readonly kindOf: (provider: string) => ProviderKind;
  readonly conceal: (credentialId: string, secrets: readonly Secret[]) => void;
};

export type StoredMember = {
  row: StoredCredential;
  readonly member: PoolMember;
  /** Cannot be decrypted: nobody can enable it. */
  problem: string | undefined;
  oauth: OAuthSource | undefined;
  token: CachedToken | undefined;
  /** Its standing has changed here since it was last written. */
  isDirty: boolean;
};

/** The stored credentials in the pool, kept like those in the database. */
export class StoredMembers {
  readonly #options: StoredMembersOptions;
  readonly #members = new Map<string, StoredMember>();
  readonly #closing = new AbortController();
  #revision = -1;

  constructor(options: StoredMembersOptions) {
    this.#options = options;
  }

  get all(): readonly StoredMember[] {
    return [...this.#members.values()];
  }

  find(idOrLabel: string): StoredMember | undefined {
    return this.#members.get(idOrLabel) ?? this.all.find(({ row }) => row.label === idOrLabel);
  }

  /** What was reported about a member has to be written down. */
  touched(member: PoolMember): void {
    const stored = this.#members.get(member.id);
    if (stored !== undefined && stored.member === member) stored.isDirty = true;
  }

  /** Somebody has decided how it stands, which is in the database already. */
  placed(stored: StoredMember, standing: Standing): void {
    this.#options.pool.place(stored.member, standing);
    stored.isDirty = false;
  }

  /** Reads what has changed in the database, and tries again what could not be decrypted. @throws DatabaseError */
  async follow(): Promise<void> {
    const { revision } = await this.#options.store.vault();
    if (revision !== this.#revision) await this.#read();
    // The database does not say when the master key is back.
    for (const stored of this.all) if (stored.problem !== undefined) this.#open(stored);
  }

  async #read(): Promise<void> {
    const { vault, credentials } = await this.#options.store.load();
    const rows = new Map(credentials.map((row) => [row.id, row]));
    for (const stored of this.all) if (!rows.has(stored.row.id)) this.#remove(stored);
    for (const row of credentials) {
      const stored = this.#members.get(row.id);
      if (stored === undefined) this.#add(row);
      else if (row.revision !== stored.row.revision) this.#update(stored, row);
    }
    this.#revision = vault.revision;
  }

  /** Writes how members stand. Where another process has changed one in the meantime, that has to be read first. */
  async save(options: { readonly waits: boolean }): Promise<void> {
    const { store, pool } = this.#options;
    for (const stored of this.all) {
      await stored.oauth?.save();
      if (!stored.isDirty || stored.problem !== undefined) continue;
      const standing = pool.stateOf(stored.member);
      const revision = await store.saveStanding(stored.row.id, standing, { ...options, revision: stored.row.revision });
      if (revision === undefined) continue;
      stored.row = { ...stored.row, standing, revision };
      stored.isDirty = !isSame(standing, pool.stateOf(stored.member));
    }
  }

  refreshTokens(): void {
    for (const { member, token } of this.all) if (member.standing.state !== "disabled") token?.refreshAhead();
  }

  /** Waits for what comes for refresh tokens that have been used, and may not be good for a second use. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.all.map(({ token }) => token?.settled()));
  }

  #add(row: StoredCredential): void {
    const { pool } = this.#options;
    const { id, provider: upstream, weight } = row;
    const member = new PoolMember({ id, upstream, weight, source: NO_SOURCE });
    const stored = { row, member, problem: undefined, oauth: undefined, token: undefined, isDirty: false };
    this.#members.set(id, stored);
    pool.add(member, row.standing);
    this.#open(stored);
  }

  #update(stored: StoredMember, row: StoredCredential): void {
    const before = stored.row;
    stored.row = row;
    stored.member.weight = row.weight;
    const isNew = row.secretRevision !== (stored.oauth?.secretRevision ?? before.secretRevision);
    if (stored.problem === undefined && !isSame(row.standing, before.standing)) this.placed(stored, row.standing);
    if (isNew) this.#open(stored);
  }

  #remove({ row, member }: StoredMember): void {
    this.#members.delete(row.id);
    this.#options.pool.remove(member);
    this.#options.conceal(row.id, []);
  }

  #open(stored: StoredMember): void {
    const { row, member } = stored;
    const { pool, vault, log, conceal, clock } = this.#options;
    try {
      const open = vault.open(row);
      conceal(row.id, secretsIn(open.content));
      if (stored.problem !== undefined) {
        stored.problem = undefined;
        this.placed(stored, row.standing);
        log.info("credential readable again", { credentialId: row.id, provider: row.provider });
      }
      member.source = this.#sourceOf(stored, open);
      member.generation += 1;
    } catch (error) {
      if (!(error instanceof CredentialError)) throw error;
      if (stored.problem === error.message) return;
      stored.problem = error.message;
      member.source = NO_SOURCE;
      pool.place(member, { state: "disabled", reason: error.message, since: clock.wall(), until: undefined });
      log.error("credential unreadable", { credentialId: row.id, provider: row.provider, reason: error.message });
    }
  }

  #sourceOf(stored: StoredMember, open: ReturnType<CredentialVault["open"]>): HeaderSource {
    const { row, member } = stored;
    const { content, dataKey } = open;
    const { store, vault, clock, log, kindOf, conceal, pool } = this.#options;
    if (content.type === "api_key") {
      const { key } = content;
      return { headers: () => credentialHeaders(kindOf(row.provider), key), refused: () => false };
    }
    const source = new OAuthSource({
      row,
      open: { content, dataKey },
      store,
      vault,
      wall: clock.wall,
      log,
      signal: this.#closing.signal,
      conceal: (secrets) => conceal(row.id, secrets),
    });
    const token = new CachedToken({
      source,
      known: source.known,
      clock,
      headersOf: ({ value }) => accessTokenHeaders(value),
      onFresh: () => {
        member.generation += 1;
      },
      onRefused: (reason) => pool.disable(member, reason),
    });
    stored.oauth = source;
    stored.token = token;
    return token;
  }
}

/** Of one that cannot be decrypted; it is disabled. */
const NO_SOURCE: HeaderSource = { headers: () => ({}), refused: () => false };

function isSame(one: Standing, other: Standing): boolean {
  return one.state === other.state && one.since === other.since && one.until === other.until;
}
