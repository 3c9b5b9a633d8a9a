import type { ServerConfig } from "../../config.ts";
import type { ProviderConfig } from "../../provider-config.ts";
import { PROVIDER_NAMES } from "../../provider-config.ts";

/** The providers of a server to which credentials come and from which they go while it runs. */
export type LiveProviders = {
  /** As the server was given it, but with the providers that are set up at the moment: whoever keeps it sees them come and go. */
  readonly config: ServerConfig;
  find(name: string): ProviderConfig | undefined;
  /** Those that came with the configuration. */
  readonly given: readonly ProviderConfig[];
  /** Where there is somebody to ask now, or nobody any more. What came with the configuration stays. */
  set(name: string, options: { readonly hasCredentials: boolean }): void;
};

export function createLiveProviders(config: ServerConfig): LiveProviders {
  const providers: Record<string, ProviderConfig> = { ...config.providers };
  return {
    config: {
      ...config,
      providers,
      get defaultProvider() {
        return config.defaultProvider ?? PROVIDER_NAMES.find((name) => providers[name] !== undefined);
      },
    },
    find: (name) => providers[name] ?? config.dormantProviders[name],
    given: Object.values(config.providers),
    set(name, { hasCredentials }) {
      const dormant = config.dormantProviders[name];
      if (dormant === undefined) return;
      if (hasCredentials) providers[name] = dormant;
      else delete providers[name];
    },
  };
}
