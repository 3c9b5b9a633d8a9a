import { createOAuthClient, type OAuthClient } from "@loom/api/oauth-client";
import { Secret, storeServerToken } from "@loom/config";
import type { Invocation } from "../command-line/specification.ts";
import { CliError, exitCodeOf } from "../exit-codes.ts";
import { loadSettings } from "../settings.ts";
import { hasBrowser, openBrowser } from "../sign-in/browser.ts";
import { waitForDevice } from "../sign-in/device.ts";
import { startLoopbackSignIn } from "../sign-in/loopback.ts";
import { rememberServer, serverAddress } from "../sign-in/server-address.ts";
import { whoAmI } from "../sign-in/who-am-i.ts";
import { versionLine } from "../version.ts";

/** A code of the server lives as long. */
const PATIENCE_MS = 10 * 60_000;

/** Signs in to a server and keeps the token for later commands. */
export async function run(invocation: Invocation): Promise<number> {
  const settings = await loadSettings(invocation);
  const server = serverAddress(settings, invocation.arguments[0]);
  const { directories } = settings;
  const client = createOAuthClient({
    baseUrl: server,
    clientId: "loom-cli",
    userAgent: versionLine().replace(" ", "/"),
  });
  const stop = new AbortController();
  const onSignal = () => stop.abort(new CliError("interrupted", "Not signed in."));
  const timer = setTimeout(
    () =>
      stop.abort(new CliError("timeout", "Not signed in: nobody decided within ten minutes. Run loom login again.")),
    PATIENCE_MS,
  );
  process.once("SIGINT", onSignal);
  try {
    const byDevice = invocation.flags.has("--device") || !hasBrowser(process.env);
    const signal = stop.signal;
    const token = await (byDevice ? byCode(client, signal) : byBrowser(client, signal)).catch((error: unknown) => {
      throw signal.aborted ? signal.reason : error;
    });
    const place = storeServerToken({ serverUrl: server, token: new Secret(token), directories });
    const { name } = await whoAmI(server, token);
    const where = place === "keyring" ? "this desktop's keyring" : `${directories.config}/credentials.json`;
    process.stdout.write(`Signed in to ${server} as ${name}. The token is in ${where}.\n`);
    const hint = rememberServer(settings, server);
    if (hint !== undefined) process.stdout.write(`${hint}\n`);
    return exitCodeOf("ok");
  } finally {
    clearTimeout(timer);
    process.off("SIGINT", onSignal);
    client.close();
  }
}

async function byCode(client: OAuthClient, signal: AbortSignal): Promise<string> {
  const device = await client.requestDevice(signal);
  process.stdout.write(
    `Open ${device.verificationUri} in a browser, on any machine, and type this code:\n\n    ${device.userCode}\n\nOr open ${device.verificationUriComplete}\n`,
  );
  return waitForDevice(client, device, signal);
}

async function byBrowser(client: OAuthClient, signal: AbortSignal): Promise<string> {
  const signIn = await startLoopbackSignIn(client);
  try {
    const isOpen = await openBrowser(signIn.url.href);
    const what = isOpen
      ? "Your browser opens. If it does not, open"
      : "Open this address in a browser on this machine:";
    process.stdout.write(
      `${what}\n\n    ${signIn.url.href}\n\n(loom login --device works with a browser on another machine.)\n`,
    );
    return await signIn.token(signal);
  } finally {
    signIn.close();
  }
}
