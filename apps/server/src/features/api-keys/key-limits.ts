/** The limits of keys, which are those of the node `api_key` and its id. */
export type KeyLimits = {
  refreshRules(): Promise<void>;
  remove(kind: "api_key", id: string): Promise<unknown>;
};

/** Of keys that are not there any more. */
export async function forgetLimits(limits: KeyLimits, keys: readonly { readonly id: string }[]): Promise<void> {
  if (keys.length === 0) return;
  await limits.refreshRules();
  for (const { id } of keys) await limits.remove("api_key", id);
}
