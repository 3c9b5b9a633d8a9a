import { randomBytes } from "node:crypto";
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ConfigError, readSecretFile, type Secret } from "@loom/config";
import { writePrivateFile } from "../../kit/private-file.ts";
import { CredentialError } from "./credential-error.ts";
import { KEY_BYTES, type MasterKey, masterKey } from "./envelope.ts";

const FILE = "master-key";
/** The key to come, while credentials are being wrapped with it; afterwards it takes the place of the old one. */
const NEXT_FILE = "master-key.next";

/** Where master keys are: what the operator gave, and the data directory. */
export type MasterKeys = {
  /** Whether the operator gave one, in a variable or a file. */
  readonly isGiven: boolean;
  /** The key with this id. @throws CredentialError that says what to do. */
  find(id: string): MasterKey;
  /** The key for the first credential; made where there is none. @throws CredentialError */
  first(): MasterKey;
  given(): MasterKey | undefined;
  /** Puts a new key beside the one in the data directory. `keep` puts it in its place, `drop` takes it away. */
  prepare(bytes: Uint8Array): { keep(): void; drop(): void };
};

/** @throws ConfigError where the given key is none. */
export function createMasterKeys(options: {
  /** `LOOM_SERVER_MASTER_KEY`, or the content of the file that its twin names. */
  readonly given: Secret | undefined;
  readonly directory: string | undefined;
}): MasterKeys {
  const { given: secret, directory } = options;
  const given =
    secret === undefined ? undefined : masterKey(bytesFromText(secret.expose().trim(), "LOOM_SERVER_MASTER_KEY"));
  const pathOf = (name: string): string => {
    if (directory !== undefined) return join(directory, name);
    throw new CredentialError(
      "master_key",
      "Without a data directory, LOOM_SERVER_MASTER_KEY or LOOM_SERVER_MASTER_KEY_FILE has to give the master key.",
    );
  };
  const fromFile = (name: string): MasterKey | undefined => {
    if (directory === undefined || !existsSync(pathOf(name))) return undefined;
    return readKeyFile(pathOf(name), "the server");
  };

  return {
    isGiven: given !== undefined,
    given: () => given,
    find(id) {
      if (given?.id === id) return given;
      const kept = fromFile(FILE);
      if (kept?.id === id) return kept;
      const next = fromFile(NEXT_FILE);
      if (next?.id === id) {
        // A rotation was done but for this.
        moveIntoPlace(pathOf(NEXT_FILE), pathOf(FILE));
        return next;
      }
      const place = directory === undefined ? "" : `, or put it back into ${join(directory, FILE)}`;
      const what = given === undefined && kept === undefined ? "is missing" : "is another one";
      throw new CredentialError(
        "master_key",
        `The stored credentials cannot be read, because the master key ${what}: give the key ${id} in LOOM_SERVER_MASTER_KEY_FILE${place}.`,
      );
    },
    first() {
      const known = given ?? fromFile(FILE);
      if (known !== undefined) return known;
      const path = pathOf(FILE);
      const bytes = randomBytes(KEY_BYTES);
      const made = masterKey(bytes);
      const isOurs = whileWriting(path, () => writePrivateFile(path, textOf(bytes), { ifMissing: true }));
      bytes.fill(0);
      return isOurs ? made : readKeyFile(path, "the server");
    },
    prepare(bytes) {
      const [next, path] = [pathOf(NEXT_FILE), pathOf(FILE)];
      whileWriting(next, () => writePrivateFile(next, textOf(bytes)));
      return { keep: () => moveIntoPlace(next, path), drop: () => rmSync(next, { force: true }) };
    },
  };
}

/** @throws CredentialError */
export function readKeyFile(path: string, origin: string): MasterKey {
  return masterKey(readKeyBytes(path, origin));
}

/** The 32 bytes that a file holds in base64. @throws CredentialError */
export function readKeyBytes(path: string, origin: string): Buffer {
  try {
    return bytesFromText(readSecretFile(path, origin).text.trim(), path);
  } catch (error) {
    if (error instanceof ConfigError) throw new CredentialError("master_key", error.message);
    throw error;
  }
}

function bytesFromText(text: string, where: string): Buffer {
  const bytes = Buffer.from(text, "base64");
  const isBase64 = /^[A-Za-z0-9+/_-]{43}=?$/.test(text);
  if (isBase64 && bytes.length === KEY_BYTES) return bytes;
  throw new ConfigError(
    `${where} holds no master key: it has to be 32 bytes in base64, e.g. of "openssl rand -base64 32".`,
  );
}

function textOf(bytes: Uint8Array): string {
  return `${Buffer.from(bytes).toString("base64")}\n`;
}

/** Another process may have been faster. */
function moveIntoPlace(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}

function whileWriting<Result>(path: string, write: () => Result): Result {
  try {
    return write();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : error;
    throw new CredentialError(
      "master_key",
      `The master key cannot be written to ${path} (${code}): make its directory writable, or give a key in LOOM_SERVER_MASTER_KEY_FILE.`,
      { cause: error },
    );
  }
}
