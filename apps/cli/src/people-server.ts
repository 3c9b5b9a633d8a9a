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

/** More is for programs, which take pages. */
const MAX_ROWS = 1_000;
const PAGE = 100;

/** The rows of all pages, at most 1000. */
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
  } while (cursor !== undefined && rows.length < MAX_ROWS);
  return rows;
}
