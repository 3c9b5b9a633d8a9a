import { realpathSync, statSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import {
  type ConfigLocations,
  type FlagValue,
  type LoomConfig,
  type LoomDirectories,
  loadConfig,
  loomDirectories,
  type SettingKey,
} from "@loom/config";
import type { Invocation } from "./command-line/specification.ts";
import { CliError } from "./exit-codes.ts";

const SYSTEM_FILE = "/etc/loom/config.toml";

/** What every command that does something starts from. */
export type Settings = {
  readonly config: LoomConfig;
  readonly directories: LoomDirectories;
  /** Absolute, links resolved; exists. */
  readonly workspace: string;
};

/**
 * Loads the configuration that goes with a command line.
 * @throws CliError `usage`, ConfigError.
 */
export async function loadSettings(invocation: Invocation): Promise<Settings> {
  const env = process.env;
  const directories = loomDirectories(env);
  const named = textOf(invocation, "--config");
  const workspace = workspaceOf(invocation);
  const config = await loadConfig({
    env,
    workspace,
    currentDirectory: process.cwd(),
    systemFile: SYSTEM_FILE,
    userFile: named === undefined ? join(directories.config, "config.toml") : resolve(named),
    userFileRequired: named !== undefined,
    flags: settingFlags(invocation),
  });
  return { config, directories, workspace };
}

/** The text of a flag that takes a value, if it was given. */
export function textOf(invocation: Invocation, flag: string): string | undefined {
  const value = invocation.flags.get(flag);
  return typeof value === "string" ? value : undefined;
}

function workspaceOf(invocation: Invocation): string {
  const flag = textOf(invocation, "--workspace");
  const named = flag ?? process.env.LOOM_WORKSPACE;
  const path = named === undefined || named === "" ? process.cwd() : isAbsolute(named) ? named : resolve(named);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return realpathSync(path);
  throw new CliError(
    "usage",
    `The workspace ${path} is not a directory: correct ${flag === undefined ? "LOOM_WORKSPACE" : "--workspace"}.`,
  );
}

function settingFlags(invocation: Invocation): ConfigLocations["flags"] {
  const given: { [Key in SettingKey]?: FlagValue } = {};
  for (const flag of invocation.command.flags) {
    const text = textOf(invocation, flag.name);
    if (flag.setting !== undefined && text !== undefined) given[flag.setting] = { flag: flag.name, text };
  }
  return given;
}
