import { join } from "node:path";
import { ConfigError } from "./errors.ts";
import { findKeyring, KeyringError } from "./keyring.ts";
import { makePrivateDirectory } from "./private-directory.ts";
import { readSecretFile, Secret } from "./secret.ts";
import type { LoomDirectories } from "./xdg.ts";

/**
 * Tokens by server address, beside the user's configuration: `{ "https://loom.example": "lt_…" }`, or
 * `{ "https://loom.example": { "keyring": true } }` where the system's keyring has it.
 */
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
  /** Where the keyring is found; default: this process's. */
  readonly env?: NodeJS.ProcessEnv;
}): Secret {
  if (options.tokenFile !== "")
    return tokenFrom(privateText(options.tokenFile, "server.token_file"), options.tokenFile);
  const file = credentialsFile(options.directories);
  const advice = `run "loom login", or put the token of ${options.serverUrl} in a file of mode 0600 and name it in LOOM_SERVER_TOKEN_FILE`;
  let text: string;
  try {
    text = privateText(file, "Loom's credentials");
  } catch (error) {
    if (error instanceof ConfigError && error.cause === "ENOENT") {
      throw new ConfigError(`There is no token for ${options.serverUrl}: ${advice}.`);
    }
    throw error;
  }
  const entry = entryOf(parsed(text, file), options.serverUrl);
  if (entry === undefined) throw new ConfigError(`${file} holds no token for ${options.serverUrl}: ${advice}.`);
  if (typeof entry.token === "string") return tokenFrom(entry.token, file);
  const token = fromKeyring(entry.address, options.env ?? process.env);
  if (token === undefined) throw new ConfigError(`The keyring holds no token for ${options.serverUrl}: ${advice}.`);
  return tokenFrom(token, "The keyring");
}

export type StoredToken = "keyring" | "file";

/**
 * Keeps a token for later processes: in the keyring where there is one that works, else in `credentials.json`, mode
 * 0600. Written whole or not at all. @throws ConfigError
 */
export function storeServerToken(options: {
  readonly serverUrl: string;
  readonly token: Secret;
  readonly directories: LoomDirectories;
  readonly env?: NodeJS.ProcessEnv;
}): StoredToken {
  const { serverUrl, token, directories, env = process.env } = options;
  const address = normalized(serverUrl);
  const place = intoKeyring(address, token.expose(), env) ? "keyring" : "file";
  changeTokens(directories, (tokens) => {
    for (const known of Object.keys(tokens)) if (normalized(known) === address) delete tokens[known];
    tokens[address] = place === "keyring" ? { keyring: true } : token.expose();
  });
  return place;
}

/** Forgets the token for a server. False where there was none. @throws ConfigError */
export function removeServerToken(options: {
  readonly serverUrl: string;
  readonly directories: LoomDirectories;
  readonly env?: NodeJS.ProcessEnv;
}): boolean {
  const address = normalized(options.serverUrl);
  let found = false;
  changeTokens(options.directories, (tokens) => {
    for (const [known, token] of Object.entries(tokens)) {
      if (normalized(known) !== address) continue;
      found = true;
      delete tokens[known];
      if (typeof token !== "string") findKeyring(options.env ?? process.env)?.remove(address);
    }
  });
  return found;
}

function intoKeyring(address: string, token: string, env: NodeJS.ProcessEnv): boolean {
  const keyring = findKeyring(env);
  if (keyring === undefined) return false;
  try {
    keyring.store(address, token);
    return true;
  } catch (error) {
    if (error instanceof KeyringError) return false;
    throw error;
  }
}

function fromKeyring(address: string, env: NodeJS.ProcessEnv): string | undefined {
  const keyring = findKeyring(env);
  if (keyring === undefined) {
    throw new ConfigError(
      `The token is in a keyring that cannot be reached from here (no session bus, or no secret-tool).`,
    );
  }
  try {
    return keyring.lookup(address);
  } catch (error) {
    if (error instanceof KeyringError) throw new ConfigError(error.message);
    throw error;
  }
}

type Tokens = Record<string, unknown>;

function changeTokens(directories: LoomDirectories, change: (tokens: Tokens) => void): void {
  const file = credentialsFile(directories);
  const { chmodSync, closeSync, existsSync, fsyncSync, openSync, renameSync, writeSync } =
    process.getBuiltinModule("node:fs");
  try {
    const tokens = existsSync(file) ? parsed(privateText(file, "Loom's credentials"), file) : {};
    change(tokens);
    makePrivateDirectory(directories.config);
    const temporary = `${file}.${process.pid}.new`;
    const descriptor = openSync(temporary, "w", 0o600);
    try {
      chmodSync(temporary, 0o600);
      writeSync(descriptor, `${JSON.stringify(tokens, undefined, 2)}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, file);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const code = error instanceof Error && "code" in error ? error.code : error;
    throw new ConfigError(`${file} cannot be written (${code}).`);
  }
}

function privateText(path: string, origin: string): string {
  const file = readSecretFile(path, origin);
  if (file.readableByOthers) {
    throw new ConfigError(`${path} holds a token and can be read by other users: run "chmod 600 ${path}".`);
  }
  return file.text;
}

function parsed(text: string, file: string): Tokens {
  let tokens: unknown;
  try {
    tokens = JSON.parse(text);
  } catch {
    // Without the parser's own message, which quotes the text.
    throw new ConfigError(`${file} is not valid JSON: it has to be {"<server address>": "<token>"}.`);
  }
  return typeof tokens === "object" && tokens !== null ? (tokens as Tokens) : {};
}

function entryOf(
  tokens: Tokens,
  serverUrl: string,
): { readonly address: string; readonly token: string | undefined } | undefined {
  const wanted = normalized(serverUrl);
  for (const [address, token] of Object.entries(tokens)) {
    if (normalized(address) !== wanted) continue;
    if (typeof token === "string") return { address: wanted, token };
    if (typeof token === "object" && token !== null && "keyring" in token) return { address: wanted, token: undefined };
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
