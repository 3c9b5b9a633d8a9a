import { readTomlFile } from "./toml-file.ts";

/** One value of a file, with the line it stands on. */
export type FileEntry = { readonly key: string; readonly value: unknown; readonly line: number };

/**
 * Reads a TOML file of at most 1 MiB; `undefined` where there is none. Tables become dotted keys.
 * @throws ConfigError with file and line.
 */
export async function readConfigFile(path: string): Promise<readonly FileEntry[] | undefined> {
  const file = await readTomlFile(path);
  if (file === undefined) return undefined;
  const entries: FileEntry[] = [];
  collect(file.table, "", (key, value) => entries.push({ key, value, line: file.lineOf(key) }));
  return entries;
}

function collect(table: object, prefix: string, add: (key: string, value: unknown) => void): void {
  for (const [name, value] of Object.entries(table)) {
    const isTable = typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
    if (isTable) collect(value, `${prefix}${name}.`, add);
    else add(prefix + name, value);
  }
}
