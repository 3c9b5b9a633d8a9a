import { createRedactor, type Secret } from "@loom/config";

/** A redactor that learns of new secrets while the process runs. */
export type GrowingRedactor = {
  readonly redact: (text: string) => string;
  /**
   * What `owner` keeps secret from now on. What it kept before is still taken out, until it has come a second time with
   * something new: a provider may quote a key that has just been replaced.
   */
  conceal(owner: string, secrets: readonly Secret[]): void;
};

/** Names of models, clients and sessions: the same few come with every request. In UTF-16 units. */
const SHORT = 256;
/** Of each of two generations: the older one goes when the younger one is full. */
const MAX_SHORT = 1_000;

export function createGrowingRedactor(first: readonly Secret[]): GrowingRedactor {
  const kept = new Map<string, { readonly now: readonly Secret[]; readonly before: readonly Secret[] }>();
  let current: ((text: string) => string) | undefined;
  let young = new Map<string, string>();
  let old = new Map<string, string>();
  return {
    redact(text) {
      current ??= createRedactor([...first, ...[...kept.values()].flatMap(({ now, before }) => [...now, ...before])]);
      if (text.length > SHORT) return current(text);
      const known = young.get(text);
      if (known !== undefined) return known;
      const clean = old.get(text) ?? current(text);
      if (young.size >= MAX_SHORT) {
        old = young;
        young = new Map();
      }
      young.set(text, clean);
      return clean;
    },
    conceal(owner, secrets) {
      kept.set(owner, { now: secrets, before: kept.get(owner)?.now ?? [] });
      current = undefined;
      young = new Map();
      old = young;
    },
  };
}
