import type { TempHome } from "@loom/testkit";
import { packageFolder } from "../../scripts/package-folder.ts";

/** What `npm run clients` installs. */
export const CLIENTS = packageFolder(import.meta.dirname);

/** Where one run of a client takes place. */
export type Place = {
  readonly home: TempHome;
  /** Its working directory; empty. */
  readonly workspace: string;
  /** Of the dialect or the provider at Loom, e.g. `http://127.0.0.1:5666/anthropic`. */
  readonly baseUrl: string;
  readonly token: string;
  readonly model: string;
};

/** A program to run, with its whole environment. */
export type Command = {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
};

/** Somebody else's agent, pointed at Loom as `docs/gateway.md` says. */
export type CliClient = {
  /** `undefined`: not installed. */
  readonly file: string | undefined;
  /** What the ledger knows it as. */
  readonly product: RegExp;
  /** Writes its configuration and says how it is started for one prompt, without a person to ask. */
  prepare(place: Place, prompt: string): Promise<Command>;
};

export function installed(file: string | undefined, name: string): string {
  if (file === undefined) throw new Error(`${name} is not installed: npm run clients -- --install`);
  return file;
}
