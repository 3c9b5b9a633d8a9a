import { readFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { BudgetLimits, MintedToken } from "@loom/api";
import { type ServerConfig, startServer } from "../../index.ts";
import type { TestHome } from "../../kit/engines.testing.ts";

export type BudgetedServer = AsyncDisposable & {
  readonly url: string;
  asOwner(path: string, init?: RequestInit): Promise<unknown>;
  /** A new token with these limits. */
  tokenWith(limits: BudgetLimits): Promise<MintedToken>;
};

export type BudgetedServerOptions = {
  /** What all providers answer. */
  readonly respond: RequestListener;
  /** `address`: where they are, without a slash at the end. */
  readonly config: (address: string) => ServerConfig;
};

/** A server whose database is in `home`, which stays, and its providers. */
export async function budgetedServer(
  home: TestHome,
  { respond, config }: BudgetedServerOptions,
): Promise<BudgetedServer> {
  const upstream = createServer(respond);
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  const { port } = upstream.address() as AddressInfo;
  const tokenFile = `${home.path}/owner-token`;
  const server = await startServer({
    config: config(`http://127.0.0.1:${port}`),
    access: { type: "owner", tokenFile, replace: false },
    dataDirectory: home.path,
    postgres: home.postgres,
  });
  const ownerToken = (await readFile(tokenFile, "utf8")).trim();
  const asOwner = async (path: string, init: RequestInit = {}): Promise<unknown> => {
    const headers = { authorization: `Bearer ${ownerToken}`, "content-type": "application/json" };
    return (await fetch(server.url + path, { ...init, headers })).json();
  };
  let tokens = 0;
  return {
    url: server.url,
    asOwner,
    async tokenWith(limits) {
      const body = JSON.stringify({ name: `ci-${++tokens}`, limits });
      return (await asOwner("/api/tokens", { method: "POST", body })) as MintedToken;
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      upstream.closeAllConnections();
      upstream.close();
    },
  };
}

/** With these providers as they are at their makers' own addresses, where no test can be. */
export function withOfficial(names: readonly string[], config: ServerConfig): ServerConfig {
  const providers = Object.entries(config.providers).map(([name, each]) => {
    return [name, names.includes(name) ? { ...each, isOfficial: true } : each] as const;
  });
  return { ...config, providers: Object.fromEntries(providers) };
}
