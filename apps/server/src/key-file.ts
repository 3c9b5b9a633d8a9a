import { ConfigError, readSecretFile, Secret } from "@loom/config";
import type { KeyFile } from "./provider-config.ts";

/**
 * The keys in a file: the whole of it, or one a line, where empty lines and those that begin with # are left out.
 * @throws ConfigError that names the file and the line, never what stands there.
 */
export function readKeyFile(
  { path, variable, many }: KeyFile,
  options: { readonly warn?: (sentence: string) => void; readonly mayBeEmpty?: boolean } = {},
): Secret[] {
  const { text, readableByOthers } = readSecretFile(path, variable);
  const where = `${path}, named by ${variable},`;
  if (readableByOthers) {
    options.warn?.(`${where} can be read by other users: run "chmod 600 ${path}".`);
  }
  const lines = many ? text.split(/\r?\n/) : [text.replace(/\r?\n$/, "")];
  const keys = lines.flatMap((line, index) => {
    const key = many ? line.trim() : line;
    if (many && (key === "" || key.startsWith("#"))) return [];
    // Keys travel in HTTP headers.
    if (/\p{Cc}/u.test(key)) throw new ConfigError(`${where} holds a control character in line ${index + 1}.`);
    return key === "" ? [] : [key];
  });
  if (keys.length === 0 && options.mayBeEmpty !== true)
    throw new ConfigError(`${where} is empty: put the key in it, or leave it out.`);
  return [...new Set(keys)].map((key) => new Secret(key));
}
