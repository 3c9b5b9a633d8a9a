import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { createLoomClient, type LoomClient, type LoomClientDeadlines } from "@loom/api/client";
import { type LoomConfig, readServerToken, Secret } from "@loom/config";
import { CliError } from "./exit-codes.ts";
import type { Settings } from "./settings.ts";

/** A way to a Loom server: one that runs elsewhere, or the one inside this process. */
export type Connection = {
  readonly client: LoomClient;
  /** Sentences for the person, e.g. about a key file that others can read. */
  readonly notices: readonly string[];
  close(): Promise<void>;
};

/** The client waits a little longer than the embedded server does, whose explanation is better. */
const MARGIN_MS = 2_000;

const NO_MODEL =
  "No model is set up: set ANTHROPIC_API_KEY or OPENAI_API_KEY in the environment (or ANTHROPIC_API_KEY_FILE, " +
  "OPENAI_API_KEY_FILE to a file with the key), or LOOM_OPENAI_BASE_URL for a local model without a key " +
  "(Ollama: http://localhost:11434/v1), or LOOM_SERVER_URL to the address of a Loom server.";

/**
 * Connects to the configured server, or starts one in this process on a free port of the loopback interface, with a
 * token that is made now and kept in memory only.
 * @param keys the environment with the providers' keys, for the embedded server.
 * @param options.forModels false: the server will not be asked for a model, and may have none.
 * @throws CliError `no_model`, ConfigError, or what the embedded server cannot start for.
 */
export async function connect(
  settings: Settings,
  keys: NodeJS.ProcessEnv,
  { forModels = true }: { readonly forModels?: boolean } = {},
): Promise<Connection> {
  const { config, directories } = settings;
  const serverUrl = config.get("server.url");
  if (serverUrl !== "") {
    const token = readServerToken({ serverUrl, tokenFile: config.get("server.token_file"), directories });
    const client = createLoomClient({ baseUrl: serverUrl, token: () => token.expose(), deadlines: waitsOf(config) });
    return { client, notices: noticesAbout(serverUrl), close: async () => client.close() };
  }

  const { startServer, takeServerConfig } = await import("@loom/server");
  const notices: string[] = [];
  const serverConfig = takeServerConfig(keys, { warn: (sentence) => notices.push(sentence) });
  if (forModels) requireProvider(config, serverConfig);
  const waits = embeddedWaits(config, serverConfig.deadlines, keys);
  const token = new Secret(`lt_${randomBytes(32).toString("base64url")}`);
  const level = config.get("log.level");
  const file = config.get("log.file");
  const server = await startServer({
    config: { ...serverConfig, deadlines: { ...serverConfig.deadlines, ...waits } },
    access: { type: "token", token },
    dataDirectory: join(directories.data, "server"),
    ...(file === "" ? {} : { log: { level, destination: { file } } }),
  });
  const client = createLoomClient({
    baseUrl: server.url,
    token: () => token.expose(),
    deadlines: clientDeadlines(waits),
  });
  return {
    client,
    notices,
    async close() {
      client.close();
      await server.close();
    },
  };
}

function noticesAbout(serverUrl: string): string[] {
  const { protocol, hostname } = new URL(serverUrl);
  const isPrivate = protocol === "https:" || /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
  return isPrivate ? [] : [`The connection to ${serverUrl} is not encrypted: others on the way can read the token.`];
}

type Waits = Pick<LoomClientDeadlines, "connectMs" | "headersMs" | "firstEventMs" | "gapMs">;

function waitsOf(config: LoomConfig): Waits {
  return {
    connectMs: config.get("timeouts.connect_seconds") * 1_000,
    headersMs: config.get("timeouts.headers_seconds") * 1_000,
    firstEventMs: config.get("timeouts.first_event_seconds") * 1_000,
    gapMs: config.get("timeouts.gap_seconds") * 1_000,
  };
}

const SERVER_VARIABLES = {
  connectMs: ["timeouts.connect_seconds", "LOOM_SERVER_CONNECT_TIMEOUT"],
  headersMs: ["timeouts.headers_seconds", "LOOM_SERVER_HEADERS_TIMEOUT"],
  firstEventMs: ["timeouts.first_event_seconds", "LOOM_SERVER_FIRST_EVENT_TIMEOUT"],
  gapMs: ["timeouts.gap_seconds", "LOOM_SERVER_GAP_TIMEOUT"],
} as const;

/** For the server in this process: a configured `timeouts.*`, else its own variable if that is set, else our default. */
function embeddedWaits(config: LoomConfig, server: Waits, environment: NodeJS.ProcessEnv): Waits {
  const waits = { ...waitsOf(config) };
  for (const field of ["connectMs", "headersMs", "firstEventMs", "gapMs"] as const) {
    const [setting, variable] = SERVER_VARIABLES[field];
    const isOurDefault = config.sourceOf(setting).layer === "default";
    if (isOurDefault && (environment[variable] ?? "") !== "") waits[field] = server[field];
  }
  return waits;
}

/** The server sends no header before the model has begun to answer, so the client's wait for it holds both. */
function clientDeadlines({ connectMs, headersMs, firstEventMs, gapMs }: Waits): Waits {
  return {
    connectMs,
    headersMs: connectMs + headersMs + firstEventMs + MARGIN_MS,
    firstEventMs: firstEventMs + MARGIN_MS,
    gapMs: gapMs + MARGIN_MS,
  };
}

function requireProvider(
  config: LoomConfig,
  server: { readonly providers: object; readonly defaultProvider: string | undefined },
): void {
  const provider = config.get("provider");
  if (server.defaultProvider === undefined) throw new CliError("no_model", NO_MODEL);
  if (provider === "" || provider in server.providers) return;
  const variable = `${provider.toUpperCase()}_API_KEY`;
  const others = Object.keys(server.providers).join(", ");
  throw new CliError("no_model", `There is no key for ${provider}: set ${variable}, or choose ${others}.`);
}
