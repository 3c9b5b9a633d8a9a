import { dirname, join } from "node:path";
import { closestName } from "./closest-name.ts";
import { type FileEntry, readConfigFile } from "./config-file.ts";
import { ConfigError } from "./errors.ts";
import type { Setting, SettingKey, SettingValue, SettingValues } from "./schema.ts";
import { SETTINGS, variableOf, variablesOf } from "./schema.ts";
import type { Environment } from "./secret.ts";
import { type Checked, type PathBase, valueFromText, valueFromToml } from "./setting-value.ts";
import { refusalOf } from "./workspace-rules.ts";

/** Where a value came from, lowest layer first. */
export type Source =
  | { readonly layer: "default" }
  | { readonly layer: "system" | "user" | "workspace"; readonly file: string; readonly line: number }
  | { readonly layer: "environment"; readonly variable: string }
  | { readonly layer: "flag"; readonly flag: string };

/** A setting given on the command line: `{ flag: "--max-turns", text: "3" }`. */
export type FlagValue = { readonly flag: string; readonly text: string };

export type ConfigLocations = {
  readonly env: Environment;
  /** Absolute. Its `.loom/config.toml` is the workspace layer. */
  readonly workspace: string;
  /** Absolute. What relative paths in variables and flags are relative to. */
  readonly currentDirectory: string;
  readonly systemFile: string;
  readonly userFile: string;
  /** Whether the user's file has to exist, because a person named it. */
  readonly userFileRequired: boolean;
  readonly flags: { readonly [Key in SettingKey]?: FlagValue };
};

/** All settings, each with its source. Made by `loadConfig`; does not change. */
export class LoomConfig {
  readonly #found: ReadonlyMap<string, Found>;

  constructor(found: ReadonlyMap<string, Found>) {
    this.#found = found;
  }

  get<Key extends SettingKey>(key: Key): SettingValues[Key] {
    // The loader checked the value against the same row of the table that gives the type.
    return this.#found.get(key)?.value as SettingValues[Key];
  }

  sourceOf(key: SettingKey): Source {
    return this.#found.get(key)?.source ?? { layer: "default" };
  }
}

type Found = { readonly value: SettingValue; readonly source: Source };

const SETTING_BY_KEY = new Map<string, Setting>(SETTINGS.map((setting) => [setting.key, setting]));

/**
 * Defaults < system file < user file < workspace file < `LOOM_*` variables < flags. Values replace each other whole.
 * @throws ConfigError that names file and line, variable or flag, the key, and what it must be.
 */
export async function loadConfig(locations: ConfigLocations): Promise<LoomConfig> {
  const found = new Map<string, Found>();
  for (const setting of SETTINGS) found.set(setting.key, { value: setting.default, source: { layer: "default" } });
  const home = locations.env.HOME;

  const files = [
    { layer: "system", file: locations.systemFile },
    { layer: "user", file: locations.userFile },
    { layer: "workspace", file: join(locations.workspace, ".loom", "config.toml") },
  ] as const;
  for (const { layer, file } of files) {
    const entries = await readConfigFile(file);
    if (entries === undefined && layer === "user" && locations.userFileRequired) {
      throw new ConfigError(`There is no file ${file}: correct --config or leave it out.`, { flag: "--config" });
    }
    for (const entry of entries ?? []) {
      applyFileEntry(found, entry, { layer, file, base: { directory: dirname(file), home } });
    }
  }
  const base: PathBase = { directory: locations.currentDirectory, home };
  applyEnvironment(found, locations.env, base);
  for (const [key, given] of Object.entries(locations.flags)) applyFlag(found, key, given, base);
  return new LoomConfig(found);
}

type FileLayer = {
  readonly layer: "system" | "user" | "workspace";
  readonly file: string;
  readonly base: PathBase;
};

function applyFileEntry(found: Map<string, Found>, entry: FileEntry, { layer, file, base }: FileLayer): void {
  const where = `${file}:${entry.line}`;
  const setting = SETTING_BY_KEY.get(entry.key);
  if (setting === undefined) {
    const refusal = layer === "workspace" ? refusalOf(entry.key) : undefined;
    throw new ConfigError(`${where}: ${refusal ?? unknownKey(entry.key, SETTING_BY_KEY.keys())}`);
  }
  const value = valueOrThrow(valueFromToml(setting.kind, entry.value, base), `${where}: ${setting.key}`);
  if (layer === "workspace") {
    const refusal = refusalOf(setting.key, { rule: setting.workspace, value, below: found.get(setting.key)?.value });
    if (refusal !== undefined) throw new ConfigError(`${where}: ${refusal}`);
  }
  found.set(setting.key, { value, source: { layer, file, line: entry.line } });
}

function applyEnvironment(found: Map<string, Found>, env: Environment, base: PathBase): void {
  const known = new Set<string>();
  for (const setting of SETTING_BY_KEY.values()) {
    // The variable that follows from the key is looked at last, and so wins over the named ones.
    for (const variable of variablesOf(setting).toReversed()) {
      known.add(variable.name);
      const text = env[variable.name];
      if (text === undefined || text === "") continue;
      const value = valueOrThrow(valueFromText(setting.kind, text, base), `The variable ${variable.name}`);
      found.set(setting.key, {
        value: variable.inverted ? value === false : value,
        source: { layer: "environment", variable: variable.name },
      });
    }
  }
  for (const name of Object.keys(env)) {
    // Only names with a double underscore claim to be settings; other LOOM_ variables belong to other parts.
    if (!name.startsWith("LOOM_") || !name.includes("__") || known.has(name)) continue;
    const candidates = [...SETTING_BY_KEY.keys()].map(variableOf);
    throw new ConfigError(`The variable ${name} is set: ${unknownKey(name, candidates)}`);
  }
}

function applyFlag(found: Map<string, Found>, key: string, given: FlagValue, base: PathBase): void {
  const setting = SETTING_BY_KEY.get(key);
  if (setting === undefined) return;
  const value = valueOrThrow(valueFromText(setting.kind, given.text, base), given.flag, { flag: given.flag });
  found.set(key, { value, source: { layer: "flag", flag: given.flag } });
}

function valueOrThrow(checked: Checked, what: string, options: { readonly flag?: string } = {}): SettingValue {
  if ("value" in checked) return checked.value;
  throw new ConfigError(`${what} must be ${checked.mustBe}.`, options);
}

function unknownKey(key: string, candidates: Iterable<string>): string {
  const meant = closestName(key, candidates);
  const advice = meant === undefined ? 'run "loom config show" for all settings' : `did you mean ${meant}?`;
  return `there is no setting ${key}; ${advice}${advice.endsWith("?") ? "" : "."}`;
}
