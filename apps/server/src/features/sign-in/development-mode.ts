import type { IncomingMessage } from "node:http";
import { ConfigError } from "@loom/config";
import { isLoopbackName } from "../../kit/host-check.ts";
import { ProblemError } from "../../kit/problem-reply.ts";

/**
 * A server where everybody is somebody without being asked is for one machine alone.
 * @throws ConfigError where anybody else could reach it.
 */
export function requireOwnMachine(server: {
  readonly host: string;
  readonly publicUrl: string | undefined;
  readonly isTrustedProxy: (address: string) => boolean;
}): void {
  const reason = reachableBecause(server);
  if (reason === undefined) return;
  throw new ConfigError(
    `LOOM_SERVER_DEV_USER lets everybody in, so it is for a server that only this machine reaches, and ${reason}.`,
  );
}

function reachableBecause({ host, publicUrl, isTrustedProxy }: Parameters<typeof requireOwnMachine>[0]) {
  if (!isLoopbackName(host)) return `this one listens on ${host}`;
  if (publicUrl !== undefined && !isLoopbackName(new URL(publicUrl).hostname)) return "LOOM_SERVER_PUBLIC_URL is set";
  if (["127.0.0.1", "::1"].some(isTrustedProxy)) return "LOOM_SERVER_TRUSTED_PROXIES names this machine";
  return undefined;
}

/** @throws ProblemError for what a proxy on this machine has passed on from elsewhere. */
export function requireNoProxy({ headers }: IncomingMessage): void {
  if (["forwarded", "x-forwarded-for", "x-forwarded-host", "via"].every((name) => headers[name] === undefined)) return;
  throw new ProblemError("forbidden", "LOOM_SERVER_DEV_USER is not for requests that come through a proxy.");
}
