import type { ServerConfig } from "../../config.ts";
import { createUpstream, type Upstream } from "./upstream.ts";

/** The providers that are set up, by name. */
export type Upstreams = { get(name: string): Upstream | undefined };

/** Follows `config.providers`: with credentials that are stored while the server runs, providers come and go. */
export function upstreamsOf(config: ServerConfig): Upstreams {
  const made = new Map<string, Upstream>();
  return {
    get(name) {
      const provider = Object.hasOwn(config.providers, name) ? config.providers[name] : undefined;
      const known = made.get(name);
      if (provider === undefined || known?.config === provider) return provider && known;
      const upstream = createUpstream(provider);
      made.set(name, upstream);
      return upstream;
    },
  };
}
