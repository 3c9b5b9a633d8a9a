// A real OpenID Connect provider (npm's `oidc-provider`) that stands in for Okta and for Google.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair } from "jose";
import Provider from "oidc-provider";
import MemoryAdapter from "oidc-provider/lib/adapters/memory_adapter.js";

export type Person = {
  readonly sub: string;
  readonly email?: string;
  readonly email_verified?: boolean;
  readonly name?: string;
  readonly preferred_username?: string;
};

export type RealProvider = {
  readonly issuer: string;
  /** Who sits in front of its browser; nobody: whoever comes is sent back with `access_denied`. */
  person: Person | undefined;
  /** `PATH?QUERY` of every request, in order. */
  readonly requests: string[];
  [Symbol.asyncDispose](): Promise<void>;
};

export const CLIENT = { id: "loom", secret: "the-secret-of-the-client-loom-123" };

/** Somebody else's application at the same provider. */
export const OTHER_CLIENT = { id: "other", secret: "the-secret-of-another-client-123" };

export type RealProviderOptions = {
  /** e.g. `http://127.0.0.1:8080` */
  readonly loom: () => string;
  /** The name that Loom has for it, in the address to come back to. */
  readonly name: string;
  readonly configuration?: Record<string, unknown>;
  readonly client?: Record<string, unknown>;
};

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

export async function startRealProvider(options: RealProviderOptions): Promise<RealProvider> {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const jwk = { ...(await exportJWK(privateKey)), kid: "one", use: "sig", alg: "RS256" };
  /** For the address that Loom has now: it changes with a restart. */
  let current: { readonly loom: string; readonly handle: Handle } | undefined;
  const server = createServer((request, response) => {
    real.requests.push(request.url ?? "");
    const loom = options.loom();
    if (current?.loom !== loom) current = { loom, handle: start() };
    current.handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const real: RealProvider & { requests: string[] } = {
    issuer,
    person: { sub: "ada", email: "ada@example.com", email_verified: true, name: "Ada Lovelace" },
    requests: [],
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  function start(): Handle {
    const people = new Map<string, Person>();
    const provider = new Provider(issuer, {
      clients: [CLIENT, OTHER_CLIENT].map(({ id, secret }) => ({
        client_id: id,
        client_secret: secret,
        redirect_uris: [`${options.loom()}/auth/callback/${options.name}`],
        ...options.client,
      })),
      claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "preferred_username"] },
      adapter: class extends MemoryAdapter {},
      jwks: { keys: [jwk] },
      // All of them are on one host here, where browsers keep cookies for all ports together.
      cookies: {
        keys: ["a key for the tests"],
        names: {
          session: `${options.name}_session`,
          interaction: `${options.name}_interaction`,
          resume: `${options.name}_resume`,
        },
      },
      features: { devInteractions: { enabled: false } },
      interactions: { url: (_: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
      findAccount: (_: unknown, id: string) => ({ accountId: id, claims: () => ({ ...people.get(id), sub: id }) }),
      ...options.configuration,
    });
    const callback = provider.callback();

    async function interact(request: IncomingMessage, response: ServerResponse): Promise<void> {
      const { prompt, params, session } = await provider.interactionDetails(request, response);
      const finish = (result: Record<string, unknown>) => provider.interactionFinished(request, response, result);
      if (real.person === undefined) return finish({ error: "access_denied" });
      if (prompt.name === "login") {
        people.set(real.person.sub, real.person);
        return finish({ login: { accountId: real.person.sub, remember: false } });
      }
      const grant = new provider.Grant({ accountId: session?.accountId ?? "", clientId: String(params.client_id) });
      grant.addOIDCScope(String(params.scope));
      return finish({ consent: { grantId: await grant.save() } });
    }

    return (request, response) => {
      const work = request.url?.startsWith("/interaction/") ? interact(request, response) : callback(request, response);
      work.catch((error: unknown) => response.writeHead(500).end(String(error)));
    };
  }

  return real;
}
