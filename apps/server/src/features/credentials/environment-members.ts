import { stat } from "node:fs/promises";
import type { Secret } from "@loom/config";
import { readKeyFile } from "../../key-file.ts";
import type { Clock } from "../../kit/clock.ts";
import type { Log } from "../../kit/log.ts";
import type { KeyFile, ProviderConfig } from "../../provider-config.ts";
import { credentialHeaders } from "../gateway/credential-headers.ts";
import type { CredentialPool } from "./credential-pool.ts";
import { environmentId, environmentIdOf } from "./environment-ids.ts";
import { GOOD_STANDING, type HeaderSource, PoolMember } from "./pool-member.ts";
import { fingerprintOf } from "./secret-content.ts";

export type EnvironmentMember = {
  readonly member: PoolMember;
  readonly key: Secret;
  readonly fingerprint: string | null;
};

type Options = {
  readonly pool: CredentialPool;
  readonly log: Log;
  readonly conceal: (owner: string, secrets: readonly Secret[]) => void;
  readonly clock: Pick<Clock, "monotonic">;
};

/** How long the keys of a file that is gone or empty are still used: one that is being replaced is so for a moment. */
const KEPT_MS = { gone: 60_000, empty: 2_000 };
const GONE = "ENOENT";

/** The keys that came with the configuration, of one provider; files are read again when they change. */
export class EnvironmentMembers {
  readonly #config: ProviderConfig;
  readonly #options: Options;
  readonly #members = new Map<string, EnvironmentMember>();
  /** What stood in the files when they were last read well, and which version of them that was. */
  readonly #files = new Map<KeyFile, { readonly stamp: string; readonly keys: readonly Secret[] | undefined }>();
  /** Since when there has been nothing in files that had something, in monotonic milliseconds. */
  readonly #nothingSince = new Map<KeyFile, number>();

  constructor(config: ProviderConfig, options: Options) {
    this.#config = config;
    this.#options = options;
    this.#apply();
  }

  get all(): readonly EnvironmentMember[] {
    return [...this.#members.values()];
  }

  /** A file that cannot be read at the moment leaves everything as it is; one that stays empty or away has no keys. */
  async follow(): Promise<void> {
    let changed = false;
    for (const file of this.#config.keyFiles ?? []) {
      const stamp = await stampOf(file.path);
      const known = this.#files.get(file);
      if (stamp === known?.stamp) {
        if (!this.#staysWithout(file, stamp) || known.keys?.length === 0) continue;
        this.#files.set(file, { stamp, keys: [] });
        changed = true;
        continue;
      }
      const keys = this.#read(file);
      const hasNothing = stamp === GONE || keys?.length === 0;
      if (!hasNothing) this.#nothingSince.delete(file);
      else if (!this.#nothingSince.has(file)) this.#nothingSince.set(file, this.#options.clock.monotonic());
      this.#files.set(file, { stamp, keys: hasNothing ? known?.keys : (keys ?? known?.keys) });
      changed ||= keys !== undefined && !hasNothing;
    }
    if (changed) this.#apply();
  }

  #staysWithout(file: KeyFile, stamp: string): boolean {
    const since = this.#nothingSince.get(file);
    const keptMs = stamp === GONE ? KEPT_MS.gone : KEPT_MS.empty;
    return since !== undefined && this.#options.clock.monotonic() - since >= keptMs;
  }

  #read(file: KeyFile): readonly Secret[] | undefined {
    const { log } = this.#options;
    try {
      const keys = readKeyFile(file, { mayBeEmpty: true });
      if (keys.length === 0) log.warn("key file is empty", { provider: this.#config.name, file: file.path });
      return keys;
    } catch (error) {
      log.warn("key file not read", { provider: this.#config.name, reason: String(error) });
      return undefined;
    }
  }

  #apply(): void {
    const { pool, conceal, log } = this.#options;
    const wanted = this.#wanted();
    for (const [id, { member }] of this.#members) {
      if (wanted.has(id)) continue;
      pool.remove(member);
      this.#members.delete(id);
      log.info("credential removed", { credentialId: id, provider: this.#config.name });
    }
    for (const [id, key] of wanted) {
      const known = this.#members.get(id);
      if (known?.key.expose() === key.expose()) continue;
      const { name: upstream, kind } = this.#config;
      const source: HeaderSource = { headers: () => credentialHeaders(kind, key), refused: () => false };
      const member = known?.member ?? new PoolMember({ id, upstream, weight: 1, source });
      this.#members.set(id, { member, key, fingerprint: fingerprintOf({ type: "api_key", key }) });
      if (known === undefined) pool.add(member, GOOD_STANDING);
      else {
        member.source = source;
        member.generation += 1;
        pool.place(member, GOOD_STANDING);
        log.info("credential replaced", { credentialId: id, provider: upstream });
      }
    }
    conceal(`environment ${this.#config.name}`, [...wanted.values()]);
  }

  /** Ids and keys. The one key of a provider keeps its id whatever it is. */
  #wanted(): Map<string, Secret> {
    const { name, key, keys = [], keyFiles = [] } = this.#config;
    const wanted = new Map<string, Secret>();
    const read = (many: boolean): readonly Secret[] | undefined => {
      const file = keyFiles.find((each) => each.many === many);
      return file && this.#files.get(file)?.keys;
    };
    // Before the files have been read here, what was read at the start has to do.
    const inFile = read(false);
    const one = inFile === undefined ? key : inFile[0];
    if (one !== undefined) wanted.set(environmentId(name), one);
    for (const each of read(true) ?? keys) {
      if (each.expose() !== one?.expose()) wanted.set(environmentIdOf(name, each), each);
    }
    return wanted;
  }
}

async function stampOf(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(path);
    return `${mtimeMs} ${size} ${ino}`;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : "unknown";
  }
}
