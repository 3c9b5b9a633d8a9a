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
const MAX_SHORT = 1_000;

export function createGrowingRedactor(first: readonly Secret[]): GrowingRedactor {
  const kept = new Map<string, { readonly now: readonly Secret[]; readonly before: readonly Secret[] }>();
  let current: ((text: string) => string) | undefined;
  const short = new Map<string, string>();
  return {
    redact(text) {
      current ??= createRedactor([...first, ...[...kept.values()].flatMap(({ now, before }) => [...now, ...before])]);
      if (text.length > SHORT) return current(text);
      let clean = short.get(text);
      if (clean === undefined) {
        clean = current(text);
        if (short.size >= MAX_SHORT) short.clear();
        short.set(text, clean);
      }
      return clean;
    },
    conceal(owner, secrets) {
      kept.set(owner, { now: secrets, before: kept.get(owner)?.now ?? [] });
      current = undefined;
      short.clear();
    },
  };
}
