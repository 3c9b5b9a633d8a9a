import type { CredentialChange, CredentialHealth, CredentialInfo, CredentialList, NewCredential } from "@loom/api";
import type { Secret } from "@loom/config";
import type { ServerConfig } from "../../config.ts";
import type { Credentials } from "../../gateway-types.ts";
import { type Clock, SYSTEM_CLOCK } from "../../kit/clock.ts";
import type { Database } from "../../kit/database.ts";
import type { Log } from "../../kit/log.ts";
import { createTurns } from "../../kit/turns.ts";
import { CredentialError } from "./credential-error.ts";
import { CredentialPool } from "./credential-pool.ts";
import { EnvironmentMembers } from "./environment-members.ts";
import { createLiveProviders } from "./live-providers.ts";
import { createMasterKeys } from "./master-keys.ts";
import { decided } from "./pool-member.ts";
import { type Found, Roster } from "./roster.ts";
import { createSealedSecrets, type SealedSecrets } from "./sealed-secrets.ts";
import { createCredentialStore } from "./store.ts";
import { StoredMembers } from "./stored-members.ts";
import { checkLabel, createVault, labelTaken } from "./vault.ts";

export type CredentialService = {
  /** For the gateway. */
  readonly credentials: Credentials;
  /** The server's configuration, with the providers that are set up at the moment. */
  readonly config: ServerConfig;
  /** For secrets of other features. */
  readonly secrets: SealedSecrets;
  /** Makes everything like the database and the key files. Before the first time there are only the configuration's keys. @throws DatabaseError */
  follow(): Promise<void>;
  /** Writes down how the stored ones stand. `waits`: for other processes, and for the disk. @throws DatabaseError */
  save(options: { readonly waits: boolean }): Promise<void>;
  /** Begins to refresh access tokens that end soon. */
  refreshTokens(): void;
  /** Waits for those that are being refreshed. */
  close(): Promise<void>;
  list(): CredentialList;
  health(): CredentialList["providers"];
  /** @throws CredentialError */
  add(wish: NewCredential): Promise<CredentialInfo>;
  /** @throws CredentialError */
  change(idOrLabel: string, change: CredentialChange): Promise<CredentialInfo>;
  /** Gives the credential as it was. @throws CredentialError */
  remove(idOrLabel: string): Promise<CredentialInfo>;
};

export type DisabledCredential = {
  readonly id: string;
  readonly provider: string;
  readonly reason: string | undefined;
};

export type CredentialServiceOptions = {
  readonly config: ServerConfig;
  readonly database: () => Promise<Database>;
  readonly dataDirectory: string | undefined;
  readonly log: Log;
  /** See `GrowingRedactor`. */
  readonly conceal: (owner: string, secrets: readonly Secret[]) => void;
  /** A credential was disabled by what a provider said. */
  readonly onAlert: (disabled: DisabledCredential) => void;
  readonly clock?: Clock;
};

/** @throws ConfigError where the master key in the configuration is none. */
export function createCredentialService(options: CredentialServiceOptions): CredentialService {
  const { config, dataDirectory, log, conceal, onAlert, clock = SYSTEM_CLOCK } = options;
  const live = createLiveProviders(config);
  const store = createCredentialStore(options.database);
  const keys = () => createMasterKeys({ given: config.masterKey, directory: dataDirectory });
  // What is wrong with a given key is said before the server starts.
  keys();
  const vault = createVault({ store, keys, wall: clock.wall });
  const inTurn = createTurns();

  const pool: CredentialPool = new CredentialPool({
    clock,
    selectionOf: (upstream) => live.find(upstream)?.selection ?? "round-robin",
    onTrouble(member) {
      const { id: credentialId, upstream: provider, standing } = member;
      const { state, reason, until = 0 } = standing;
      if (state === "disabled") {
        log.error("credential disabled", { credentialId, provider, reason });
        onAlert({ id: credentialId, provider, reason });
      } else
        log.warn("credential cools down", { credentialId, provider, reason, until: new Date(until).toISOString() });
      stored.touched(member);
    },
  });
  const kindOf = (provider: string) => live.find(provider)?.kind ?? "compatible";
  const stored: StoredMembers = new StoredMembers({ pool, store, vault, clock, log, kindOf, conceal });
  const environment = live.given.map((each) => new EnvironmentMembers(each, { pool, log, conceal, clock }));
  const roster = new Roster({ pool, live, stored, environment, conceal });

  const find = (idOrLabel: string): Found => {
    const found = roster.find(idOrLabel);
    if (found !== undefined) return found;
    const shown = JSON.stringify(idOrLabel.slice(0, 80));
    throw new CredentialError("unknown", `There is no credential ${shown}: give the label or the id of one.`);
  };
  const infoOf = (id: string): CredentialInfo => {
    const info = roster.list().find((each) => each.id === id);
    if (info !== undefined) return info;
    throw new CredentialError("unknown", "The credential was removed at this moment.");
  };
  const health = (): CredentialList["providers"] => {
    const names = new Set([...pool.upstreams(), ...Object.keys(live.config.providers)]);
    return [...names].sort().map((provider) => {
      const { available, coolingDown, disabled } = pool.health(provider);
      return { provider, health: healthOf(available, coolingDown + disabled), available, coolingDown, disabled };
    });
  };

  return {
    credentials: pool,
    config: live.config,
    secrets: createSealedSecrets(store, keys),
    health,
    follow: () => inTurn(() => roster.follow()),
    save: (how) => inTurn(() => stored.save(how)),
    refreshTokens: () => stored.refreshTokens(),
    close: () => stored.close(),
    list: () => ({ credentials: roster.list(), providers: health() }),
    add: (wish) =>
      inTurn(async () => {
        if (live.find(wish.provider) === undefined) throw unknownProvider(wish.provider);
        const { id, provider, label } = await vault.add(wish);
        await roster.follow();
        log.info("credential added", { credentialId: id, provider, label });
        return infoOf(id);
      }),
    change: (idOrLabel, change) =>
      inTurn(async () => {
        await roster.follow();
        const found = find(idOrLabel);
        const { id, upstream: provider } = found.member;
        const standing = change.enabled === undefined ? undefined : decided(change.enabled, clock.wall());
        if (found.source === "environment") {
          if (change.label !== undefined || change.weight !== undefined) throw ofEnvironment(id);
          if (standing !== undefined) pool.place(found.member, standing);
        } else {
          const { problem } = found.stored;
          if (change.enabled === true && problem !== undefined) throw new CredentialError("master_key", problem);
          const { label, weight } = change;
          if (label !== undefined) checkLabel(label);
          const wanted = {
            ...(label === undefined ? {} : { label }),
            ...(weight === undefined ? {} : { weight }),
            ...(standing === undefined ? {} : { standing }),
          };
          if (!(await store.change(id, wanted))) throw labelTaken(label ?? id);
          await roster.follow();
          if (standing !== undefined) stored.placed(found.stored, standing);
        }
        log.info("credential changed", { credentialId: id, provider, enabled: change.enabled });
        return infoOf(id);
      }),
    remove: (idOrLabel) =>
      inTurn(async () => {
        await roster.follow();
        const found = find(idOrLabel);
        const { id, upstream: provider } = found.member;
        if (found.source === "environment") throw ofEnvironment(id);
        const info = infoOf(id);
        await store.remove(id);
        await roster.follow();
        log.info("credential removed", { credentialId: id, provider });
        return info;
      }),
  };
}

function healthOf(available: number, others: number): CredentialHealth {
  if (available === 0) return "none";
  return others === 0 ? "all" : "some";
}

function unknownProvider(name: string): CredentialError {
  return new CredentialError(
    "wrong",
    `The provider ${JSON.stringify(name)} is not known here: use anthropic, openai, gemini or zai, or set up a server under this name first.`,
  );
}

function ofEnvironment(id: string): CredentialError {
  return new CredentialError(
    "wrong",
    `The credential ${id} comes from the server's environment: change it there. It can be disabled here until the server is started again.`,
  );
}
