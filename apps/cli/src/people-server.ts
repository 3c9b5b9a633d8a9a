import { LoomApiError } from "@loom/api/client";
import { createJsonClient, type JsonClient } from "@loom/api/json-client";
import { readServerToken } from "@loom/config";
import type { Invocation } from "./command-line/specification.ts";
import { CliError } from "./exit-codes.ts";
import { loadSettings } from "./settings.ts";

/**
 * The server that people and organizations are on: a configured one, as the one inside this process knows nobody.
 * @throws CliError, ConfigError
 */
export async function withServer<Result>(
  invocation: Invocation,
  work: (server: JsonClient) => Promise<Result>,
): Promise<Result> {
  const { config, directories } = await loadSettings(invocation);
  const serverUrl = config.get("server.url");
  if (serverUrl === "") {
    throw new CliError(
      "configuration",
      "Organizations, teams and API keys are on a Loom server, and none is set up: set LOOM_SERVER_URL to its address.",
    );
  }
  const token = readServerToken({ serverUrl, tokenFile: config.get("server.token_file"), directories });
  const server = createJsonClient({ baseUrl: serverUrl, token: () => token.expose() });
  try {
    return await work(server);
  } finally {
    server.close();
  }
}

const PAGE = 100;

/** The version of what is to be put in its place; `undefined` where there is nothing yet. */
export async function versionOf(there: Promise<{ readonly version: number }>): Promise<{ readonly ifMatch?: number }> {
  try {
    return { ifMatch: (await there).version };
  } catch (error) {
    if (error instanceof LoomApiError && error.code === "not_found") return {};
    throw error;
  }
}

/** The rows of all pages. */
export async function allPages<Row>(
  page: (query: { readonly limit: number; readonly cursor: string | undefined }) => Promise<{
    readonly rows: readonly Row[];
    readonly nextCursor: string | null;
  }>,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  let cursor: string | undefined;
  do {
    const { rows: more, nextCursor } = await page({ limit: PAGE, cursor });
    rows.push(...more);
    cursor = nextCursor ?? undefined;
  } while (cursor !== undefined);
  return rows;
}
