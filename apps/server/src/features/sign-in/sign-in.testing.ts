// A server that people sign in to, for the tests of that.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { startServer, takeServerConfig } from "../../index.ts";
import type { TestHome } from "../../kit/engines.testing.ts";
import type { RunningServer } from "../../server.ts";
import { takeMailConfig } from "../mail/mail-config.ts";
import { takeSignInConfig } from "./sign-in-config.ts";

export type SignInServer = {
  readonly url: string;
  readonly server: RunningServer;
  /** The owner's. */
  readonly token: string;
  /** As the owner. */
  call(
    method: string,
    path: string,
    body?: unknown,
    ifMatch?: string,
  ): Promise<{ readonly status: number; readonly json: unknown }>;
  [Symbol.asyncDispose](): Promise<void>;
};

export async function startSignInServer(
  home: TestHome,
  env: Readonly<Record<string, string>>,
  { name = "server", listen }: { readonly name?: string; readonly listen?: { host: string; port: number } } = {},
): Promise<SignInServer> {
  const directory = join(home.path, name);
  const tokenFile = join(directory, "token");
  const server = await startServer({
    config: takeServerConfig({ ...env }),
    signIn: takeSignInConfig({ ...env }),
    mail: takeMailConfig({ ...env }),
    access: { type: "owner", tokenFile, replace: true },
    dataDirectory: directory,
    ...(listen === undefined ? {} : { listen }),
    postgres: home.postgres,
  });
  const token = (await readFile(tokenFile, "utf8")).trim();
  return {
    url: server.url,
    server,
    token,
    async call(method, path, body, ifMatch) {
      const response = await fetch(server.url + path, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(ifMatch === undefined ? {} : { "if-match": ifMatch }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, json: await response.json() };
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}
