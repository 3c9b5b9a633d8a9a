import { readServerToken } from "@loom/config";
import type { Invocation } from "../command-line/specification.ts";
import { exitCodeOf } from "../exit-codes.ts";
import { terminalLine } from "../output/terminal-text.ts";
import { loadSettings } from "../settings.ts";
import { serverAddress } from "../sign-in/server-address.ts";
import { type Identity, whoAmI } from "../sign-in/who-am-i.ts";

/** Says who the configured server knows this machine as. */
export async function run(invocation: Invocation): Promise<number> {
  const settings = await loadSettings(invocation);
  if (invocation.arguments[0] === undefined && settings.config.get("server.url") === "") {
    const text = "No server is configured: Loom runs its own, for you alone, and nobody signs in to that.";
    process.stdout.write(invocation.flags.has("--json") ? `${JSON.stringify({ server: null })}\n` : `${text}\n`);
    return exitCodeOf("ok");
  }
  const server = serverAddress(settings, invocation.arguments[0]);
  const tokenFile = settings.config.get("server.token_file");
  const token = readServerToken({ serverUrl: server, tokenFile, directories: settings.directories });
  const identity = await whoAmI(server, token.expose());
  process.stdout.write(
    invocation.flags.has("--json")
      ? `${JSON.stringify({ server, ...identity }, undefined, 2)}\n`
      : report(server, identity),
  );
  return exitCodeOf("ok");
}

const MAX_LINE = 200;

function report(server: string, identity: Identity): string {
  const { type, name, email, globalRoles = [], organizations = [], scopes, impersonator } = identity;
  const lines = [
    `${name}${email === undefined ? "" : ` <${email}>`} (${type.replace("_", " ")}) at ${server}`,
    ...(impersonator === undefined ? [] : [`${impersonator} acts in this user's place.`]),
    ...(globalRoles.length === 0 ? [] : [`Roles on the server: ${globalRoles.join(", ")}`]),
    ...organizations.map(({ id, role }) => `${role} of ${id}`),
    ...(scopes === undefined ? [] : [`May: ${scopes.join(", ")}`]),
  ];
  return lines.map((line) => `${terminalLine(line, MAX_LINE)}\n`).join("");
}
