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

export function createGrowingRedactor(first: readonly Secret[]): GrowingRedactor {
  const kept = new Map<string, { readonly now: readonly Secret[]; readonly before: readonly Secret[] }>();
  let current: ((text: string) => string) | undefined;
  return {
    redact(text) {
      current ??= createRedactor([...first, ...[...kept.values()].flatMap(({ now, before }) => [...now, ...before])]);
      return current(text);
    },
    conceal(owner, secrets) {
      kept.set(owner, { now: secrets, before: kept.get(owner)?.now ?? [] });
      current = undefined;
    },
  };
}
