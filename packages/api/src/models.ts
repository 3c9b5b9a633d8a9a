/** A model of one provider. */
export type ModelChoice = { readonly provider: string; readonly model: string };

/** What the server can reach. Aliases: `default` is `defaultModel`, `fast` is `fastModel`. */
export type ProviderModels = {
  readonly name: string;
  /** Whether the server has what it needs to call this provider. */
  readonly configured: boolean;
  readonly defaultModel: string | null;
  readonly fastModel: string | null;
};

export type Models = {
  /** What `default` and `fast` mean where the provider is `default` too; `null` where no provider is set up. */
  readonly default: ModelChoice | null;
  readonly fast: ModelChoice | null;
  readonly providers: readonly ProviderModels[];
};
