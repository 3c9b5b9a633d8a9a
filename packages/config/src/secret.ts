import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { ConfigError } from "./errors.ts";

/** What a secret shows of itself, wherever it is printed. */
const PLACEHOLDER = "[secret]";

/** A key file is one line; what is longer is the wrong file. */
const MAX_SECRET_BYTES = 16 * 1024;

/** Read by group or by others, in a file's mode. */
const READABLE_BY_OTHERS = 0o044;

/**
 * A value that must not be seen. Printing, serialising or inspecting it shows `[secret]`; only `expose()` gives the
 * value, and the call is easy to find in a review.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. Hand it to the one API that needs it, and never into a message. */
  expose(): string {
    return this.#value;
  }

  toString(): string {
    return PLACEHOLDER;
  }

  toJSON(): string {
    return PLACEHOLDER;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return PLACEHOLDER;
  }
}

const REASONS = new Map([
  ["ENOENT", "there is no such file"],
  ["EACCES", "permission denied"],
  ["EPERM", "permission denied"],
]);

/** The variables of a process, or a copy of them. */
export type Environment = { readonly [name: string]: string | undefined };

/**
 * The secret named `name`: the content of the file that `${name}_FILE` names, else the value of `${name}` itself, else
 * `undefined`. Empty counts as not set, and one line end at the end is cut off.
 *
 * A file that others may read gives a sentence to `warn` and is used nevertheless: Docker and Kubernetes mount secrets
 * as 0444 and 0644, so refusing would refuse the safest way there is to hand one in.
 * @throws ConfigError that names the variable and the file, never the value.
 */
export function readSecret(
  env: Environment,
  name: string,
  options: { readonly warn?: (sentence: string) => void } = {},
): Secret | undefined {
  const fileVariable = `${name}_FILE`;
  const path = env[fileVariable];
  if (path !== undefined && path !== "") {
    const file = readSecretFile(path, fileVariable);
    if (file.readableByOthers) {
      options.warn?.(`${path}, named by ${fileVariable}, can be read by other users: run "chmod 600 ${path}".`);
    }
    return new Secret(checkedValue(file.text, `${path}, named by ${fileVariable},`));
  }
  const value = env[name];
  return value === undefined || value === "" ? undefined : new Secret(checkedValue(value, name));
}

/**
 * Reads a small file that holds a secret.
 * @param origin what named the file, for the message: a variable, a setting.
 * @throws ConfigError where the file is missing, unreadable, a directory or larger than 16 KiB; its `cause` is the
 * system's error code, if there was one.
 */
export function readSecretFile(path: string, origin: string): { text: string; readableByOthers: boolean } {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, "r");
    const stat = fstatSync(descriptor);
    if (stat.isDirectory()) throw new ConfigError(`${path}, named by ${origin}, is a directory and not a file.`);
    const buffer = Buffer.alloc(MAX_SECRET_BYTES + 1);
    const length = readUpTo(descriptor, buffer);
    if (length > MAX_SECRET_BYTES) {
      throw new ConfigError(`${path}, named by ${origin}, is larger than 16 KiB: it cannot be a secret.`);
    }
    const text = buffer.toString("utf8", 0, length);
    buffer.fill(0);
    return { text, readableByOthers: process.platform !== "win32" && (stat.mode & READABLE_BY_OTHERS) !== 0 };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
    throw new ConfigError(`${path}, named by ${origin}, cannot be read: ${REASONS.get(code) ?? code}.`, {
      cause: code,
    });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function readUpTo(descriptor: number, buffer: Buffer): number {
  let length = 0;
  while (length < buffer.length) {
    const read = readSync(descriptor, buffer, length, buffer.length - length, null);
    if (read === 0) break;
    length += read;
  }
  return length;
}

function checkedValue(text: string, where: string): string {
  const value = text.replace(/\r?\n$/, "");
  if (value === "") throw new ConfigError(`${where} is empty: put the secret in it, or leave it out.`);
  // Secrets travel in HTTP headers, where a control character would end the header.
  if (/\p{Cc}/u.test(value)) {
    throw new ConfigError(`${where} holds a line break or another control character: a secret is one line of text.`);
  }
  return value;
}
