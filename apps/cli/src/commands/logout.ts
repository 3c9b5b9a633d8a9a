import { LoomApiError } from "@loom/api/client";
import { ConfigError, readServerToken, removeServerToken } from "@loom/config";
import type { Invocation } from "../command-line/specification.ts";
import { exitCodeOf } from "../exit-codes.ts";
import { loadSettings } from "../settings.ts";
import { serverAddress } from "../sign-in/server-address.ts";
import { endSession } from "../sign-in/who-am-i.ts";

/** Ends the session on the server and forgets its token. Forgets it also where the server cannot be told. */
export async function run(invocation: Invocation): Promise<number> {
  const settings = await loadSettings(invocation);
  const server = serverAddress(settings, invocation.arguments[0]);
  const { directories } = settings;
  let token: string;
  try {
    token = readServerToken({ serverUrl: server, tokenFile: "", directories }).expose();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const wasThere = removeServerToken({ serverUrl: server, directories });
    process.stdout.write(wasThere ? `Signed out of ${server}.\n` : `You were not signed in to ${server}.\n`);
    return exitCodeOf("ok");
  }
  let untold: string | undefined;
  try {
    await endSession(server, token);
  } catch (error) {
    if (!(error instanceof LoomApiError)) throw error;
    // It has ended before, or it is no session's token.
    if (error.status !== 401 && error.status !== 403) untold = error.message;
  }
  removeServerToken({ serverUrl: server, directories });
  process.stdout.write(`Signed out of ${server}.\n`);
  if (untold !== undefined) {
    process.stderr.write(
      `loom: The server could not be told, so the session goes on there until somebody ends it. ${untold}\n`,
    );
    return exitCodeOf("unreachable");
  }
  return exitCodeOf("ok");
}
