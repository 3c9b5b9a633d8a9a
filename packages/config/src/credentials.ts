import { join } from "node:path";
import { ConfigError } from "./errors.ts";
import { readSecretFile, Secret } from "./secret.ts";
import type { LoomDirectories } from "./xdg.ts";

/** Tokens by server address, beside the user's configuration: `{ "https://loom.example": "lt_…" }`. */
export function credentialsFile(directories: LoomDirectories): string {
  return join(directories.config, "credentials.json");
}

/**
 * The token for the server at `serverUrl`: what `tokenFile` holds if one is named, else the entry of
 * `credentials.json`. A file that group or others can read is refused: it is a person's own file, and a token in it has
 * to be taken as known.
 * @throws ConfigError that says which file is missing, unsafe or wrong; there is no server without a token.
 */
export function readServerToken(options: {
  readonly serverUrl: string;
  /** Absolute; "" = not named. */
  readonly tokenFile: string;
  readonly directories: LoomDirectories;
}): Secret {
  if (options.tokenFile !== "")
    return tokenFrom(privateText(options.tokenFile, "server.token_file"), options.tokenFile);
  const file = credentialsFile(options.directories);
  const advice = `put the token of ${options.serverUrl} in a file of mode 0600 and name it in LOOM_SERVER_TOKEN_FILE`;
  let text: string;
  try {
    text = privateText(file, "Loom's credentials");
  } catch (error) {
    if (error instanceof ConfigError && error.cause === "ENOENT") {
      throw new ConfigError(`There is no token for ${options.serverUrl}: ${advice}.`);
    }
    throw error;
  }
  const token = entryOf(text, options.serverUrl, file);
  if (token === undefined) throw new ConfigError(`${file} holds no token for ${options.serverUrl}: ${advice}.`);
  return tokenFrom(token, file);
}

function privateText(path: string, origin: string): string {
  const file = readSecretFile(path, origin);
  if (file.readableByOthers) {
    throw new ConfigError(`${path} holds a token and can be read by other users: run "chmod 600 ${path}".`);
  }
  return file.text;
}

function entryOf(text: string, serverUrl: string, file: string): string | undefined {
  let tokens: unknown;
  try {
    tokens = JSON.parse(text);
  } catch {
    // Without the parser's own message, which quotes the text.
    throw new ConfigError(`${file} is not valid JSON: it has to be {"<server address>": "<token>"}.`);
  }
  if (typeof tokens !== "object" || tokens === null) return undefined;
  const wanted = normalized(serverUrl);
  for (const [address, token] of Object.entries(tokens)) {
    if (normalized(address) === wanted && typeof token === "string") return token;
  }
  return undefined;
}

function normalized(address: string): string {
  return (URL.parse(address)?.href ?? address).replace(/\/+$/, "");
}

function tokenFrom(text: string, file: string): Secret {
  const token = text.trim();
  if (!/^[\x21-\x7e]+$/.test(token)) throw new ConfigError(`${file} does not hold a token: it has to be one word.`);
  return new Secret(token);
}
