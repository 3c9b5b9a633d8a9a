import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { ConfigError } from "./errors.ts";
import { linesOfKeys } from "./toml-lines.ts";

const MAX_FILE_BYTES = 1024 * 1024;

export type TomlFile = {
  readonly table: Readonly<Record<string, unknown>>;
  /** The 1-based line of a dotted key, or of the nearest one above it; 1 where there is none. */
  lineOf(key: string): number;
};

/**
 * Reads and parses a TOML file of at most 1 MiB; `undefined` where there is none. The parser is loaded only when a file
 * exists.
 * @throws ConfigError with file and line. It never quotes the file, which may be something else than it seems.
 */
export async function readTomlFile(path: string): Promise<TomlFile | undefined> {
  const text = readText(path);
  if (text === undefined) return undefined;
  const { parse, TomlError } = await import("smol-toml");
  try {
    const lineOf = linesOfKeys(text);
    return { table: parse(text), lineOf: (key) => lineOf(key) ?? 1 };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = (error.message.split("\n", 1)[0] ?? "").replace(/^Invalid TOML document: /, "");
    throw new ConfigError(`${path}:${error.line}: this is not valid TOML: ${reason}.`);
  }
}

function readText(path: string): string | undefined {
  let descriptor: number;
  try {
    // Not blocking: a repository may hold a named pipe under this name, and opening it must not hang.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new ConfigError(`${path} cannot be read (${String(code)}): correct its permissions or remove it.`);
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw new ConfigError(`${path} is not a file: remove it or put a TOML file there.`);
    if (stat.size > MAX_FILE_BYTES) throw new ConfigError(`${path} is larger than 1 MiB: a configuration is not.`);
    return readFileSync(descriptor, "utf8").replace(/^\uFEFF/, "");
  } finally {
    closeSync(descriptor);
  }
}
