import { join, resolve } from "node:path";
import { type ParseArgsConfig, type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { type Environment, loomDirectories } from "@loom/config";
import { UsageError } from "./usage-error.ts";

/**
 * The flags and the words after `command`, e.g. `loom-server db`.
 * @throws UsageError in one sentence that names the command's help.
 */
export function readFlags<const Flags extends ParseArgsOptionsConfig>(
  command: string,
  args: readonly string[],
  options: Flags,
) {
  try {
    const config = { args: [...args], strict: true, allowPositionals: true, options } satisfies ParseArgsConfig;
    return parseArgs(config);
  } catch (error) {
    // Node's sentences go on with advice about "--" that helps nobody here.
    const [sentence] = (error instanceof Error ? error.message : String(error)).split(/\. |\n/);
    throw new UsageError(`${sentence?.replace(/\.$/, "")}: see ${command} --help.`);
  }
}

/** Which flags each verb of a command has besides those that all have. */
export type FlagsOfVerbs = Readonly<Record<string, readonly string[]>>;

/** Flags of the command that are none of `verb`'s, nor among those of `everywhere`. @throws UsageError */
export function refuseOtherFlags(
  command: string,
  verb: string,
  values: object,
  flagsOf: FlagsOfVerbs,
  everywhere: readonly string[] = ["data", "help"],
): void {
  const allowed = [...everywhere, ...(flagsOf[verb] ?? [])];
  const other = Object.keys(values).find((flag) => !allowed.includes(flag));
  if (other === undefined) return;
  const owner = Object.keys(flagsOf).find((each) => flagsOf[each]?.includes(other));
  throw new UsageError(`--${other} is a flag of ${command} ${owner}, not of ${verb}.`);
}

/** Words that the verb takes no more. @throws UsageError */
export function refuseFurtherWords(command: string, words: readonly string[]): void {
  if (words.length > 0) throw new UsageError(`${JSON.stringify(words[0])} is too much: see ${command} --help.`);
}

/** Where the server keeps its data: `--data`, else what the environment says, else its place in the user's home. */
export function dataDirectoryOf(flag: string | undefined, env: Environment): string {
  return resolve(flag ?? (env.LOOM_SERVER_DATA_DIR || join(loomDirectories(env).data, "server")));
}
