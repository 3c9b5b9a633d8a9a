// What a bundle answers from its first lines, without loading the application: versions and help texts, told by the
// application's own functions when the bundle is built.
import { COMMANDS } from "../../apps/cli/src/command-line/commands.ts";
import { helpText } from "../../apps/cli/src/command-line/help.ts";
import { versionLine } from "../../apps/cli/src/version.ts";
import { HELP as SERVER_HELP } from "../../apps/server/src/command-line.ts";
import { VERSION as SERVER_VERSION } from "../../apps/server/src/version.ts";

/** What to print for the arguments of a call. */
export type Answer = { readonly words: readonly string[]; readonly text: string };

export function loomAnswers(): Answer[] {
  const helps = COMMANDS.map((command) => ({
    words: [...command.name.split(" ").filter((word) => word !== ""), "--help"],
    text: command.passesArguments ? SERVER_HELP : helpText(command, COMMANDS),
  }));
  return [{ words: ["--version"], text: `${versionLine()}\n` }, ...helps];
}

export function serverAnswers(): Answer[] {
  return [
    { words: ["--version"], text: `loom-server ${SERVER_VERSION}\n` },
    { words: ["--help"], text: SERVER_HELP },
  ];
}
