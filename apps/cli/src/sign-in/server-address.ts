import { existsSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makePrivateDirectory } from "@loom/config/private-directory";
import { CliError } from "../exit-codes.ts";
import type { Settings } from "../settings.ts";

/** The server that a command is about: the one that is named, else the configured one. @throws CliError */
export function serverAddress({ config }: Settings, named: string | undefined): string {
  const text = named ?? config.get("server.url");
  if (text === "") {
    throw new CliError(
      "configuration",
      "Say which server: loom login https://loom.example.com, or set LOOM_SERVER_URL.",
    );
  }
  const url = URL.parse(text);
  if (
    url === null ||
    !/^https?:$/.test(url.protocol) ||
    url.username !== "" ||
    url.password !== "" ||
    url.search !== ""
  ) {
    throw new CliError(
      "usage",
      `${text} is not the address of a server: it has to look like https://loom.example.com.`,
    );
  }
  const isLocal = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  if (url.protocol === "http:" && !isLocal) {
    throw new CliError(
      "usage",
      `Signing in to ${url.host} without TLS would give the token to everybody on the way: use https.`,
    );
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

/**
 * Makes `server` the one that later commands use, where no server is configured yet and the user has no configuration
 * file that this would change. Gives a sentence about what is left to do, if anything is.
 */
export function rememberServer({ config, directories }: Settings, server: string): string | undefined {
  if (config.get("server.url").replace(/\/+$/, "") === server) return undefined;
  const file = join(directories.config, "config.toml");
  const line = `url = ${JSON.stringify(server)}`;
  if (config.get("server.url") !== "" || existsSync(file)) {
    return `To use this server from now on, put ${line} under [server] in ${file}, or set LOOM_SERVER_URL.`;
  }
  makePrivateDirectory(directories.config);
  writeFileSync(`${file}.new`, `[server]\n${line}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return undefined;
}
