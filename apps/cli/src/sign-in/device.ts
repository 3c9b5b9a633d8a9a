import { setTimeout as sleep } from "node:timers/promises";
import type { DeviceAuthorization, OAuthClient } from "@loom/api/oauth-client";
import { CliError } from "../exit-codes.ts";

/** RFC 8628, 3.5. */
const SLOWER_S = 5;

/** Waits until the user has decided elsewhere. @throws CliError, LoomApiError */
export async function waitForDevice(
  client: OAuthClient,
  device: DeviceAuthorization,
  signal: AbortSignal,
): Promise<string> {
  let { interval } = device;
  for (;;) {
    await sleep(interval * 1_000, undefined, { signal });
    const answer = await client.deviceToken(device.deviceCode, signal);
    if (answer.ok) return answer.token;
    if (answer.error === "slow_down") interval += SLOWER_S;
    else if (answer.error !== "authorization_pending") throw new CliError("unauthorized", sentenceOf(answer));
  }
}

function sentenceOf({ error, description }: { readonly error: string; readonly description: string }): string {
  if (error === "access_denied") return "Not signed in: you said no in the browser.";
  if (error === "expired_token") return "Not signed in: the code has expired. Run loom login again.";
  return `Not signed in: ${description || error}`;
}
